"""What the event-driven engine keeps of the synapses of a plastic projection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.clock.contexts import Context
from spikesim.clock.drive import once
from spikesim.errors import SpikesimError
from spikesim.event.kernel import POST, PRE
from spikesim.event.moments import after, picoseconds, snapped
from spikesim.event.rows import AT_ONCE, FORWARD, OVER_DENDRITE, Stretch, slots_of
from spikesim.event.visits import JumpContext, VisitContext, jump_op, visit_op

if TYPE_CHECKING:
    from spikesim.event.engine import EventEngine
    from spikesim.plasticity import Rule
    from spikesim.projection import Projection

STATE = ("weights", "x", "y", "s", "last", "last_rest", "owed")


def check_supported(projection: Projection) -> None:
    """Raise SpikesimError for plasticity that this engine does not have."""
    if projection.sends != "spikes":
        raise SpikesimError(f"{projection!r}: engine 'event' sends spikes only, not {projection.sends!r}; use "
                            "engine='clock'.")  # fmt: skip
    if projection.short_term is not None or projection.constraints:
        what = "short-term plasticity" if projection.short_term is not None else "constraints on weights"
        raise SpikesimError(f"{projection!r}: engine 'event' has no {what} yet; use engine='clock'.")
    if projection.rule is not None:
        check_rule_supported(projection.rule)


def check_rule_supported(rule: Rule) -> None:
    """Raise SpikesimError for a rule that does more than act at spikes."""
    read = [*(signal.variable for signal in rule.signals.values()), *rule.post_state]
    needs = [
        what
        for what, present in (
            ("`drift`, which acts all the time", rule.drift is not None),
            (f"the postsynaptic neuron's {' and '.join(dict.fromkeys(read))}", read),
            ("traces of limited memory", any(spec.memory is not None for spec in rule.trace_specs())),
            (f"the events {', '.join(sorted(rule.named_events()))}", rule.named_events()),
        )
        if present
    ]
    if needs:
        raise SpikesimError(
            f"engine 'event' runs rules that act at spikes; {type(rule).__name__} needs {' and '.join(needs)}. "
            "Use engine='clock'."
        )


class _Side:
    """The traces of one side: rows of exponentials, and what visits need to know of them."""

    def __init__(self, rule: Rule, side: str) -> None:
        self.specs = [spec for spec in rule.trace_specs() if spec.side == side]
        exponentials = [(spec, tau) for spec in self.specs for tau in spec.taus]
        self.n = len(exponentials)
        self.rate = np.array([1.0 / tau for _, tau in exponentials])
        self.keep = np.array([spec.keep for spec, _ in exponentials])
        self.hold = np.array([float(not spec.reset_by_other) for spec, _ in exponentials])
        firsts = np.cumsum([0, *(len(spec.taus) for spec in self.specs)])
        self.row = firsts.astype(np.int64)
        self.area = np.array([spec.taus[0] - spec.taus[1] if len(spec.taus) == 2 else 0.0 for spec in self.specs] + [0])
        self.seen, self.amount = np.zeros(len(self.specs) + 1), np.ones(len(self.specs) + 1)
        self.jump = np.zeros(2 * len(self.specs) + 1, np.int64)

    def attach(self, rule: Rule, params: Any) -> list[Context]:
        contexts = []
        for k, spec in enumerate(self.specs):
            if spec.jump is not None:
                make: Any = jump_op
                place = Context(JumpContext, params=params, seen=self.seen, amount=self.amount, place=k)
                contexts.append(place)
                self.jump[2 * k : 2 * k + 2] = make(type(rule), spec.name).address, place.address
        return contexts


class EventRuntime:
    """State and operations of a plastic projection; all state lies in the projection's `arrays`."""

    lag = 0

    def __init__(self, projection: Projection) -> None:
        rule = projection.rule
        assert rule is not None
        self.projection, self.rule, m, arrays = projection, rule, len(projection), projection.arrays
        self.sides = {side: _Side(rule, side) for side in ("pre", "post")}
        self.start = np.array([*rule.synapse_start()], dtype=np.float64)
        self.rate_s = 1.0 / np.array([*rule.synapse_taus()], dtype=np.float64)
        self.params = np.array([*rule.hook_params(), rule.w_ref])
        self.delays = projection.delay.everything(m, 1)
        self.dendritic = snapped(projection.dendritic_delay_fraction * self.delays)
        arrays["weights"] = projection.first_weights().astype(np.float64)
        arrays["x"], arrays["y"] = (np.zeros((self.sides[side].n, m)) for side in ("pre", "post"))
        arrays["s"] = np.repeat(self.start[:, None], m, axis=1)
        arrays["last"] = projection.network.step + np.floor(self.dendritic).astype(np.int64)
        arrays["last_rest"] = self.dendritic - np.floor(self.dendritic)
        arrays["owed"] = np.zeros((2, m), np.int8)

    def attach(self, engine: EventEngine) -> None:
        """Compile the operations for the moments of an engine."""
        self.engine, self.kept = engine, []
        for side in self.sides.values():
            self.kept += side.attach(self.rule, self.params)
        ordered, kind = self.rule.coincident != "exclude", type(self.rule)
        visit: Any = visit_op  # which wants a rule that can be looked up
        self.ops = {name: visit(kind, name, self.rule.bounds, ordered).address
                    for name in ("on_pre", "on_post", "")}  # fmt: skip
        self.context = self._context(self.projection.arrays)

    def _context(self, arrays: dict[str, Any]) -> Context:
        room, fields = self.engine.room, dict[str, Any]()
        for letter, side in zip("xy", self.sides.values(), strict=True):
            names = ("n", "rate", "keep", "hold", "row", "area", "seen", "amount", "jump")
            fields |= {f"{name}_{letter}": getattr(side, name) for name in names}
        return Context(
            VisitContext, m=len(self.delays), **{name: arrays[name] for name in STATE}, dendritic=self.dendritic,
            rate_s=self.rate_s, params=self.params, since=self.projection.arrays["since"], moment=room.moment,
            moment_rest=room.moment_rest, weight=room.weight, **fields,
        )  # fmt: skip

    def stretches(self, first: Any) -> list[Stretch]:
        """The rows that lead to the synapses; first: the first units of the populations."""
        p, rule = self.projection, self.rule
        pre, post = p.ends()
        source, target = pre + first[p.source.index], post + first[p.target.index]
        slots, numbers = slots_of(p.target), np.arange(len(p))
        slot = slots[p.receptors[0]] if slots else -1
        over_dendrite = rule.coincident == "post_first" or (
            rule.coincident == "exclude" and p.dendritic_delay_fraction > 0.0
        )
        lag = float(picoseconds(rule.pre_lag_time()))
        on_pre, on_post, carry = ((self.ops[name], self.context.address) for name in ("on_pre", "on_post", ""))
        found = [
            Stretch(PRE, FORWARD, source, self.delays + lag, target, -1 if lag else slot, 0.0, numbers, on_pre),
            Stretch(POST, OVER_DENDRITE if over_dendrite else AT_ONCE, target, snapped(2.0 * self.dendritic), 0, -1,
                    0.0, numbers, on_post),
        ]  # fmt: skip
        if lag and slots:
            found.append(Stretch(PRE, FORWARD, source, self.delays, target, slot, 0.0, numbers, carry))
        return found

    def current_weights(self) -> Any:
        """(synapses,) weights now: what has reached a synapse and has yet to be looked at counts, on a copy."""
        arrays, engine = self.projection.arrays, getattr(self, "engine", None)
        if engine is None:
            return arrays["weights"].copy()
        copies = {name: arrays[name].copy() for name in STATE}
        context = self._context(copies)
        for s, r, op, number in self._pending(engine):
            self._visit(op, context, s, r, number)
        if self.rule.between is not None:
            step = engine.network.step + np.floor(self.dendritic).astype(np.int64)
            rest = self.dendritic - np.floor(self.dendritic)
            for number in range(len(self.delays)):
                self._visit(self.ops[""], context, step[number], rest[number], number)
        return copies["weights"]

    def _visit(self, op: int, context: Context, s: int, r: float, number: int) -> None:
        room = self.engine.room
        room.moment[0], room.moment_rest[0] = s, r
        once()(op, np.array([context.address]), number)

    def _pending(self, engine: EventEngine) -> Any:
        """(moment, remainder, operation, synapse) of visits that are due later than what they are of, in order."""
        f, rows, now = engine.flight, engine.rows, engine.network.step
        own = np.flatnonzero(rows.context[f.row[: f.size[0]]] == self.context.address)
        found = []
        for i in own:
            row = int(f.row[i])
            for k in range(int(f.cursor[i]), int(rows.begin[row + 1])):
                number = int(rows.number[k])
                if (f.born[i] - now) + f.born_rest[i] + rows.delay[k] - self.dendritic[number] <= 0.0:
                    s, r = after(int(f.born[i]), float(f.born_rest[i]), float(rows.delay[k]))
                    found.append((s, r, int(rows.rank[row]), int(rows.op[row]), number))
        return [(s, r, op, number) for s, r, _, op, number in sorted(found)]

    def set_weights(self, values: Any) -> None:
        """Set the weights. Spikes that have reached a synapse by now do not change them."""
        self.projection.arrays["weights"][:] = values
        self.projection.arrays["since"][0] = max(self.projection.network.step, self.projection.arrays["since"][0])

    def reset(self) -> None:
        """No spike has come yet; weights, and variables that do not decay, stay."""
        arrays, step = self.projection.arrays, self.projection.network.step
        self.set_weights(self.current_weights())
        for name in ("x", "y", "owed"):
            arrays[name][...] = 0
        arrays["s"][self.rate_s > 0.0] = self.start[self.rate_s > 0.0, None]
        arrays["last"][:], arrays["last_rest"][:] = step + np.floor(self.dendritic), self.dendritic % 1.0
