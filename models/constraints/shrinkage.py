"""Weights onto each neuron shrink until their sum is within a bound: half of a constrained optimisation."""

import numpy as np

from spikesim.constraints import Constraint
from spikesim.errors import SpikesimError


class Shrinkage(Constraint):
    """The sum of |w| onto each target is brought down to `total` (unit of the weights) where it is larger.

    All weights onto the neuron move towards 0 by the same amount and stop there (`shrunk`): the nearest point that is
    allowed. Together with a rule that climbs an objective, such as `Convallis`, it makes a constrained optimisation, a
    step up and a step back (Duchi et al. 2008, Fig. 1).
    """

    total: float = 1.0  # unit of the weights

    limits = {**Constraint.limits, "total": (">= 0",)}
    reference = "doi:10.1145/1390156.1390191"

    def apply(self, w, synapses):
        return shrunk(w, synapses.targets, self.total)


def shrunk(weights, targets, total):
    """The nearest weights for which the sum of |w| onto each neuron is at most `total`.

    weights
        (synapses,) in any unit.
    targets
        (synapses,) id of each synapse's postsynaptic neuron.
    total
        the bound, in the unit of the weights.

    Where the sum is larger, all weights onto the neuron move towards 0 by the same amount and stop there: none grows,
    and none changes its sign. This is the projection onto the l1 ball of Duchi et al. 2008,
    doi:10.1145/1390156.1390191, Fig. 1. Raises SpikesimError for a bound below 0 and for lengths that differ.
    """
    w, j = np.array(weights, dtype=np.float64), np.asarray(targets)
    if not total >= 0.0:
        raise SpikesimError(f"shrunk: total must be 0 or more, not {total:g}.")
    if w.shape != j.shape or w.ndim != 1:
        raise SpikesimError(f"shrunk: one target for each weight; there are {j.shape} targets and {w.shape} weights.")
    order = np.argsort(j, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(j[order])) + 1):
        w[mine] = _onto_ball(w[mine], total)
    return w


def _onto_ball(w, total):
    size = np.abs(w)
    if size.sum() <= total:
        return w
    largest = np.sort(size)[::-1]
    by = (np.cumsum(largest) - total) / np.arange(1, len(w) + 1)  # what to take from each, if the first k are to stay
    staying = max(1, int(np.count_nonzero(largest > by)))
    return np.sign(w) * np.maximum(size - by[staying - 1], 0.0)
