"""What the clock-driven engine keeps for plastic projections whose postsynaptic spikes are replayed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.clock import replay as ops
from spikesim.clock.contexts import Context
from spikesim.clock.drive import once
from spikesim.clock.plasticity import NEVER
from spikesim.clock.visited import VisitedRuntime

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.projection import Projection

SHARE, FEW = 16, 1024  # synapses for which the history has room for a spike; and for how many it has at least
ROWS = ("weights", "fired", "after", "before", "swept")  # arrays of each thread that a visit changes
HISTORY = ("entries", "values", "latest", "state")  # and those of its neurons' spikes


class ReplayRuntime(VisitedRuntime):
    """Tables, traces and histories of one plastic projection whose synapses keep nothing but their weight."""

    def __init__(self, projection: Projection, engine: ClockEngine) -> None:
        super().__init__(projection, engine)
        rule, dtype = projection.rule, projection.network.dtype
        assert rule is not None
        self.params = np.array((*rule.hook_params(), rule.w_ref), dtype=dtype)
        self.replays, arrays, n = rule.on_post is not None, projection.arrays, projection.source.n
        self.bits, self.lows, self.highs = self._decays()
        n_x = self.blocks["pre"].width
        for t, table in enumerate(self.tables):
            rows = len(table.delays) * n
            arrays[f"fired/{t}"] = np.zeros(rows, np.int64)  # the step after that of the last spike; 0 is never
            arrays[f"after/{t}"] = np.zeros((n_x, rows), dtype)  # presynaptic traces one step after it
            arrays[f"before/{t}"] = np.zeros((n_x, rows), dtype)  # and just before it
            # the last step that was served; without a dendritic delay, spikes that come are served in their own
            arrays[f"swept/{t}"] = projection.network.step - 1 + (self.dendritic[t] == 0)
            arrays.update(self.history(t, self._few(t)))

    def _decays(self) -> tuple[int, Any, Any]:
        """(bits, lows, highs): what is left of each presynaptic trace after some steps is the product of two numbers,
        of the last `bits` binary digits and of the others. In the end it is 0.

        Powers of the decay in one step as it is in the precision of the network, for so the traces are kept.
        """
        dtype: Any = self.projection.network.dtype
        tiny = float(np.finfo(dtype).tiny)
        decay = self.blocks["pre"].decay[0, : len(self.sides["pre"])].astype(dtype).astype(np.float64)
        gone = math.log(tiny) / np.log(np.clip(decay, tiny, 1.0 - 1e-16))
        longest = min(max(gone, default=1.0), 2.0 * ops.FAR)
        bits = max(1, math.ceil(math.log2(longest) / 2.0)) if longest > 1.0 else 1
        n_high = 2 + (int(longest) >> bits)
        lows = decay[:, None] ** np.arange(1 << bits)
        highs = decay[:, None] ** (np.arange(n_high) << bits)
        highs[:, -1] = 0.0
        return bits, lows.astype(dtype), highs.astype(dtype)

    def history(self, t: int, few: int) -> dict[str, Any]:
        """Room for the spikes that the neurons of thread t can have on their way, and for `few` before all synapses
        have to be visited. Memory comes when it is first used, which most of it never is."""
        dtype, share, most = self.projection.network.dtype, self.shares[t], self._most(t)
        room = max(few, 2 * most * (self.furthest + 1)) + most if self.replays else most
        return {
            f"entries/{t}": np.zeros((room, ops.ENTRY), np.int32),
            f"values/{t}": np.zeros((room, self.blocks["post"].width), dtype),
            f"latest/{t}": np.zeros((share.hi - share.lo, 2), np.int32),
            f"state/{t}": np.zeros(3, np.int64),
        }

    def _few(self, t: int) -> int:
        return max(FEW, len(self.tables[t].slots) // SHARE)

    def _most(self, t: int) -> int:
        """Spikes that there can be in a step."""
        share = self.shares[t]
        return int((share.hi - share.lo) * self.projection.target.model.max_spikes)

    @property
    def furthest(self) -> int:
        """Steps after which a postsynaptic spike has been served at all synapses, or is by the next visit."""
        return max(1, 2 * self.waiting)

    def attach(self, engine: ClockEngine) -> None:
        own, step = self.projection.arrays, self.projection.network.step
        fresh = "post/history" not in own
        for t in range(len(self.tables)):  # more spikes in a step than before need more room
            for name, room in self.history(t, self._few(t)).items():
                if len(room) > len(own[name]):
                    room[: len(own[name])] = own[name]
                    own[name] = room
        super().attach(engine)
        if not self.replays:
            return
        for t, context in enumerate(self.contexts):
            self.late[t] = [(self._op(ops.remember_op, t).address, context)]
        if fresh:
            self._remember(step)

    def _remember(self, step: int) -> None:
        """Enter into the histories, which are empty, the spikes that are on their way at `step`."""
        for operations in self.late:
            for remember, context in operations:
                for s in range(max(0, step - self.furthest), step):
                    once()(remember, np.array([context.address]), s)

    def serve(self) -> None:
        """Let every synapse meet all spikes that were served by now. It changes no bit of what will be."""
        step = self.projection.network.step
        for t in range(len(self.tables) if self.replays else 0):
            context = self._context(t, self.projection.arrays, NEVER, settles=ops.SERVED)
            once()(self._op(ops.remember_op, t).address, np.array([context.address]), step - 1)

    def take_up(self, step: int) -> None:
        """The rows are as they were at `step` when all was served; the history begins with what is on its way."""
        for t in range(len(self.tables)):
            self.projection.arrays[f"swept/{t}"][...] = step - 1
            for name in ("latest", "state"):
                self.projection.arrays[f"{name}/{t}"][...] = 0
        self._remember(step)

    def _op(self, op: Any, t: int) -> Any:
        rule: Any = self.projection.rule
        dtype, *kind = self._kind(t)
        return op(type(rule), rule.bounds, dtype, *kind)

    def _operations(self, t: int) -> list[Any]:
        return [self._op(ops.visit_op, t)]

    def _context(self, t: int, arrays: dict[str, Any], limit: int, delivers: bool = True, settles: int = 0) -> Context:
        state = {name: arrays[f"{name}/{t}"] for name in (*ROWS, *HISTORY) if name != "weights"}
        room, dendritic = len(state["entries"]), self.dendritic[t]
        few, n_events = min(self._few(t), room - self._most(t)), room + ops.PIECE + 2
        return Context(
            ops.ReplayContext, **self._shared(t, arrays, limit, delivers), **state, n_rows=len(state["fired"]),
            room=room, few=few, settles=settles, reach=np.maximum(2 * dendritic, 1),
            furthest=self.furthest, params=self.params, bits=self.bits, lows=self.lows, highs=self.highs,
            n_high=self.highs.shape[1], events=np.empty((n_events, 2), np.int32), n_events=n_events,
        )  # fmt: skip

    def _settled(self, t: int) -> Any:
        own, step = self.projection.arrays, self.projection.network.step
        if not step or not hasattr(self, "engine"):
            return own[f"weights/{t}"]
        arrays = {f"{name}/{t}": own[f"{name}/{t}"].copy() for name in ROWS}
        arrays |= {f"{name}/{t}": own[f"{name}/{t}"] for name in HISTORY}
        context = self._context(t, arrays, limit=step - 1, delivers=False, settles=ops.REACHED)
        address = np.array([context.address])
        for s in range(step, step + self.waiting):
            once()(self._op(ops.visit_op, t).address, address, s)
        if self.replays:
            once()(self._op(ops.remember_op, t).address, address, step - 1)
        return arrays[f"weights/{t}"]
