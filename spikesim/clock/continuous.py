"""What plastic synapses do in every step: `drift`, of traces and of signals of the postsynaptic neuron.

Signals are taken when a step is over and kept per neuron, in the rows of the ring that the postsynaptic traces have:
a row holds what a hook may read, first traces, then signals. A signal with a delay goes into a later row. So a synapse
reads both as they were when they left the neuron, wherever its dendritic delay puts it.

`drift` is applied in its plain form, to every synapse in every step, at the beginning of the step: each synapse is
served as many steps late as `on_pre` and `on_post` are (see `spikesim.clock.plasticity`), and before both.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import cfunc, float64, int32, int64

from spikesim.clock.contexts import Context
from spikesim.clock.neurons import real
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load
from spikesim.plasticity import BOUNDS
from spikesim.signals import signal_specs

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.clock.tables import PlasticTable
    from spikesim.network import Network
    from spikesim.projection import Projection

#: One signal of one thread's neurons. `numbers` are the filter's decay in a step and the threshold of the square.
SignalContext = namedtuple("SignalContext", "lo hi n state value numbers squared history ring width place ahead")
DriftContext = namedtuple(
    "DriftContext",
    "delays dendritic n_delays n_synapses rows n_rows targets weights params dt limit since "
    "x n_x n_source y n_y n_target ring",
)


@functools.cache
def signal_op(dtype: Any) -> Any:
    """Take one signal of each neuron and put it where hooks will read it, `ahead` steps from the next one."""
    kind = real(dtype)
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def take(address, step):
            g = context(SignalContext, address)
            count = g.hi - g.lo
            numbers = at(g.numbers, float64, 2)
            decay, threshold = kind(numbers[0]), kind(numbers[1])
            state, value = at(g.state, kind, g.n)[g.lo : g.hi], at(g.value, kind, g.n)[g.lo : g.hi]
            row = (((step + 1 + g.ahead) % g.ring) * g.width + g.place) * g.n
            seen = at(g.history, kind, g.ring * g.width * g.n)[row + g.lo : row + g.hi]
            for i in range(count):
                v = state[i]
                if g.squared != 0:
                    above = max(v - threshold, kind(0.0))
                    v = above * above
                value[i] = v + (value[i] - v) * decay
                seen[i] = value[i]

    return take


@functools.cache
def drift_op(rule: Any, bounds: str, dtype: Any) -> Any:
    """Let the weights of one thread's synapses drift for one step."""
    drift, bound = hook(rule.drift), hook(BOUNDS[bounds])
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    n_params = len(Params._fields)
    kind = real(dtype)
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def drift_all(address, step):
            g = context(DriftContext, address)
            m = g.n_synapses
            delays, dendritic = at(g.delays, int64, g.n_delays), at(g.dendritic, int64, g.n_delays)
            rows, targets, weights = at(g.rows, int64, g.n_rows), at(g.targets, int32, m), at(g.weights, kind, m)
            numbers = at(g.params, kind, n_params + 1)
            p, w_ref = load(Params, numbers, 0, 1), numbers[n_params]
            low, high = p.w_min * w_ref, p.w_max * w_ref
            h = at(g.dt, kind, 1)[0]
            x, y = at(g.x, kind, g.ring * g.n_x * g.n_source), at(g.y, kind, g.ring * g.n_y * g.n_target)
            since = at(g.since, int64, 1)[0]  # weights were set then; what had been before no longer counts
            for slice_ in range(g.n_rows - 1):
                i, k = slice_ // g.n_delays, slice_ % g.n_delays
                now = step - dendritic[k]
                if now < since or now > g.limit:
                    continue
                pre = load(Pre, x, ((step - delays[k]) % g.ring) * g.n_x * g.n_source + i, g.n_source)
                y_row = ((now - dendritic[k]) % g.ring) * g.n_y * g.n_target
                for a in range(rows[slice_], rows[slice_ + 1]):
                    post = load(Post, y, y_row + targets[a], g.n_target)
                    w = weights[a]
                    weights[a] = kind(bound(w, w + h * drift(w / w_ref, pre, post, p) * w_ref, low, high))

    return drift_all


def drift_context(shared: dict[str, Any], table: PlasticTable, network: Network) -> Context:
    """The context of `drift_op`; `shared` are fields that it has in common with those of `on_pre` and `on_post`."""
    fields = {name: value for name, value in shared.items() if name in DriftContext._fields}
    return Context(
        DriftContext, rows=table.rows, n_rows=len(table.rows), targets=table.targets,
        dt=np.array([network.dt], dtype=network.dtype), **fields,
    )  # fmt: skip


class SignalBlock:
    """The signals of one plastic projection: (signals, neurons) filtered values, and their rows in the ring of traces.

    They lie in arrays of the projection, `post/signals` and `post/history`, and begin as the neurons are then.
    """

    def __init__(self, projection: Projection, first: int) -> None:
        assert projection.rule is not None
        network, self.population, self.arrays = projection.network, projection.target, projection.arrays
        self.specs, self.first, self.dtype = signal_specs(projection.rule), first, network.dtype
        self.ahead = [round(spec.delay / network.dt) for spec in self.specs]
        self.numbers = [np.array([np.exp(-network.dt / s.tau) if s.tau else 0.0, s.squared_above or 0.0])
                        for s in self.specs]  # fmt: skip
        self.longest = max(self.ahead, default=0)

    def begin(self) -> None:
        """Let the neurons have been for ever as they are now."""
        if not self.specs:
            return
        values = np.empty((len(self.specs), self.population.n_padded), dtype=self.dtype)
        for k, spec in enumerate(self.specs):
            values[k] = spec.input(self.population._row(spec.variable))
        self.arrays.setdefault("post/signals", np.empty_like(values))[...] = values
        self.arrays["post/history"][:, self.first :] = values

    def operations(self, engine: ClockEngine, thread: int) -> list[tuple[int, Context]]:
        """One operation for each signal, of the neurons of one thread."""
        population, history = self.population, self.arrays["post/history"]
        lo, hi = engine.ranges[population.index][thread]
        op = signal_op(self.dtype)
        return [
            (op.address, Context(
                SignalContext, lo=lo, hi=hi, n=population.n_padded, state=population._row(spec.variable),
                value=self.arrays["post/signals"][k], numbers=self.numbers[k], squared=spec.squared_above is not None,
                history=history, ring=len(history), width=history.shape[1], place=self.first + k, ahead=self.ahead[k],
            ))
            for k, spec in enumerate(self.specs)
        ]  # fmt: skip
