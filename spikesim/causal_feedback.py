"""Feedback weights from spikes: what each neuron does to those it sends to, found at its own threshold.

A neuron that is to learn from an error of others must know how it acts on them: it needs, for its feedback, the weights
of its forward synapses, which it cannot see. It can see when it fired by a hair and when it did not, and, through its
feedback synapses, what the others then do (Guerguiev, Kording & Richards 2020, arXiv:1910.01689):

    a window of `window` ms opens when V_m of a sender reaches V_th - alpha, or V_th at once;
    u = highest drive of the sender in the window, y_j = mean potential of receiver j in it, less that at its beginning;
    two lines y_j = a_j + b_j (u - V_th) for u below and above V_th;      Y_j = a_j(above) - a_j(below).

Only what the sender and its feedback synapses know is used; weights are not looked at.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.discontinuity import learn_line, line_at_zero
from spikesim.errors import SpikesimError, unknown
from spikesim.jit import cache_for, hook
from spikesim.record import Recorder, StateRecorder

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.population import Population

ESTIMATES = ("online", "linear", "constant")

#: Windows as they are now, one a sender: steps that are left (0: closed), `gap`, which is U_m less the potential of a
#: neuron that has not fired in the window (closed: in this step), highest drive so far; of each receiver the potential
#: where the window opened, and `passed` as it was just before.
Windows = namedtuple("Windows", "left gap highest first before")
#: Parameters: potential at which a window opens and threshold (senders,), what a step leaves of `gap` (senders,), steps
#: of a window, farthest u from the threshold that counts, learning rate.
Settings = namedtuple("Settings", "opens threshold decay length cap eta")
#: What was learned. lines: (below/above, value/slope, senders, receivers); sums over windows: of 1, x, x^2 in `own`
#: (below/above, 3, senders), and of y, x y in `joint` (below/above, 2, senders, receivers).
Learned = namedtuple("Learned", "lines own joint")


class CausalFeedback(Recorder):
    """Estimates of what neurons do to others, learned while the network runs.

        feedback = CausalFeedback(hidden, output)
        net.run(100_000.0)
        feedback.weights()          # (hidden.n, output.n)

    senders
        a population with the state variables V_m and U_m, its potential and its drive, as `LIFDrive` has, and without a
        refractory period. The drive of a window starts from the potential: U_m less what U_m - V_m was before it
        opened, which decays with tau_m. So until it fires the one is the other, and it fires in the window if and only
        if u reaches the threshold.
    receivers
        a population of which `response`, a state variable, is what the receivers do: the potential that their
        spikes evoke in the feedback synapses, for instance.
    alpha, window, eta, cap
        how far below the threshold a window opens; its length (ms); learning rate of the lines; windows with
        |u - V_th| above `cap` do not count.

    Both populations are watched in every step from now on; nothing is kept but what is learned. When the network goes
    back to a stored state, windows that are open are forgotten, and what was learned stays; checkpoints leave it out.
    Raises SpikesimError for populations of two networks, for state variables that there are not, for senders with a
    refractory period, and for parameters out of range.
    """

    def __init__(
        self,
        senders: Population,
        receivers: Population,
        *,
        response: str = "V_m",
        alpha: float = 0.025,
        window: float = 35.0,
        eta: float = 1e-4,
        cap: float = 10.0,
    ) -> None:
        net = senders.network
        if receivers.network is not net:
            raise SpikesimError("CausalFeedback: senders and receivers must be of the same network.")
        for population, variable in ((senders, "V_m"), (senders, "U_m"), (receivers, response)):
            if variable not in population.model.state:
                raise unknown(f"CausalFeedback: {population.name}", "state variable", variable, population.model.state)
        for name, value in (("alpha", alpha), ("window", window), ("eta", eta), ("cap", cap)):
            if not value > 0.0:
                raise SpikesimError(f"CausalFeedback: {name} must be > 0, not {value:g}.")
        if np.any(senders.get("t_ref") > 0.0):
            raise SpikesimError(f"CausalFeedback: {senders.name} must have t_ref = 0.")
        self.senders, n, m = senders, senders.n, receivers.n
        threshold = np.broadcast_to(senders.get("V_th"), n).astype(np.float64)
        decay = np.exp(-net.dt / np.broadcast_to(senders.get("tau_m"), n))
        steps = net.whole_steps(window, "CausalFeedback: window")
        self.settings = Settings(threshold - alpha, threshold, decay, steps, float(cap), float(eta))
        self.open = Windows(np.zeros(n, dtype=np.int64), *np.zeros((2, n)), *np.zeros((2, n, m)))
        self.learned = Learned(np.zeros((2, 2, n, m)), np.zeros((2, 3, n)), np.zeros((2, 2, n, m)))
        self._passed = np.zeros(m)  # sum of what each receiver has done so far
        watched = (senders, "V_m"), (senders, "U_m"), (receivers, response)
        self.open.gap[:] = self._gap()
        self._states = [StateRecorder(population, variable, 1, net.step) for population, variable in watched]
        net.recorders.append(self)
        net.changed()

    def operations(self, engine: ClockEngine, thread: int) -> list[Any]:
        return [operation for state in self._states for operation in state.operations(engine, thread)]

    def limit(self, step: int) -> int:
        return self._states[0].limit(step)

    def drain(self, step: int) -> None:
        """Learn from the steps that the buffers hold, and begin them anew."""
        n = step + 1 - self._states[0].base
        if n > 0:
            _watcher()(*(s.buffer[:n] for s in self._states), self._passed, self.open, self.settings, self.learned)
            self._begin(step)

    def rewind(self, step: int) -> None:
        self.open.left[:] = 0
        self.open.gap[:] = self._gap()
        self._begin(step)

    def _gap(self) -> Any:
        return self.senders.get("U_m") - self.senders.get("V_m")

    def _begin(self, step: int) -> None:
        for state in self._states:
            state._begin(step + 1)

    @property
    def windows(self) -> Any:
        """(2, senders) windows that counted so far, with u below and above the threshold."""
        return self.learned.own[:, 0].astype(np.int64)

    def weights(self, estimate: str = "online") -> Any:
        """(senders, receivers) what a spike of a sender adds to each receiver's mean response.

        estimate
            "online": of the two lines that are learned with eta; "linear": of lines of least squares through all
            windows so far; "constant": difference of the means of all windows above and below. The last two are NaN
            where there are too few windows. Raises SpikesimError for another word.
        """
        if estimate not in ESTIMATES:
            raise unknown("CausalFeedback", "estimate", estimate, ESTIMATES)
        lines, own, joint = self.learned
        if estimate == "online":
            return lines[1, 0] - lines[0, 0]
        if estimate == "linear":
            below, above = (line_at_zero((*own[k][:, :, None], *joint[k])) for k in range(2))
            return above - below
        with np.errstate(divide="ignore", invalid="ignore"):
            below, above = joint[:, 0] / own[:, 0, :, None]
        return above - below


@hook
def _close(i, response, passed, windows, settings, learned):
    """Learn from the window of sender i, which ends now."""
    x = windows.highest[i] - settings.threshold[i]
    if abs(x) > settings.cap:
        return
    side = 1 if x >= 0.0 else 0
    lines, own, joint = learned.lines[side], learned.own[side], learned.joint[side]
    own[0, i] += 1.0
    own[1, i] += x
    own[2, i] += x * x
    for j in range(response.shape[0]):
        y = (passed[j] - windows.before[i, j]) / settings.length - windows.first[i, j]
        joint[0, i, j] += y
        joint[1, i, j] += x * y
        lines[0, i, j], lines[1, i, j] = learn_line(lines[0, i, j], lines[1, i, j], x, y, settings.eta)


@functools.cache
def _watcher() -> Any:
    """Compiled: walk along the steps, open and close windows, and learn from each that closes."""
    with cache_for() as cache:
        from numba import njit

        @njit(cache=cache, error_model="numpy", nogil=True)
        def watch(potential, drive, response, passed, windows, settings, learned):
            left, gap, highest, first, before = windows
            for t in range(potential.shape[0]):
                V, U, s = potential[t], drive[t], response[t]
                passed += s
                for i in range(V.shape[0]):
                    gap[i] *= settings.decay[i]
                    u = U[i] - gap[i]  # V, had it not been reset in this step or, in a window, since it opened
                    if left[i] == 0:
                        if u < settings.opens[i]:
                            gap[i] = U[i] - V[i]
                            continue
                        left[i], highest[i] = settings.length, u
                        first[i] = s
                        before[i] = passed - s
                    highest[i] = max(highest[i], u)
                    left[i] -= 1
                    if left[i] == 0:
                        _close(i, s, passed, windows, settings, learned)
                        gap[i] = U[i] - V[i]

    return watch
