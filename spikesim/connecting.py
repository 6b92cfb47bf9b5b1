"""From what the user says about a projection to its synapses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.connectors import AllToAll, from_sparse
from spikesim.distributions import Distribution, is_number, sample
from spikesim.drive import Drive
from spikesim.errors import SpikesimError, unknown
from spikesim.plasticity import Rule
from spikesim.projection import Projection
from spikesim.rng import Stream

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.population import Population, View


MUCH = 10**5  # numbers that are worth sharing out among threads
LONGEST_DELAY = 10**6  # steps: every spike is kept for as long as the longest delay


def make_projection(
    network: Network, source: View, target: View, rule: Any, *, weight: Any, delay: Any,
    plasticity: Rule | None, receptor: str | None, dendritic_delay_fraction: float,
) -> Projection:  # fmt: skip
    """The projection that `Network.connect` describes. Raises SpikesimError for what does not fit."""
    pre, post, index = source.population, target.population, len(network.projections)
    label = f"connect {pre.name!r} -> {post.name!r}"
    if plasticity is not None and not isinstance(plasticity, Rule):
        raise SpikesimError(f"{label}: plasticity is a rule such as PairSTDP(), not {plasticity!r}.")
    if not (isinstance(dendritic_delay_fraction, (int, float)) and 0.0 <= dendritic_delay_fraction <= 1.0):
        raise SpikesimError(f"{label}: dendritic_delay_fraction is from 0 to 1, not {dendritic_delay_fraction!r}.")
    if pre.model.graded:
        if plasticity is not None:
            raise SpikesimError(f"{label}: {type(pre.model).__name__} emits a current; only spikes change weights.")
        receptor = receptor or "current"
    _check_receptor(label, post, receptor, plastic=plasticity is not None, graded=pre.model.graded)
    # What can be refused at once is, before pairs are drawn.
    if is_number(delay):
        delay_steps(delay, 1, network, index, label)
    if is_number(weight):
        sample(weight, 1, Stream(network.seed, "WEIGHT", index), f"{label}: weight")
    if hasattr(rule, "tocoo"):
        rule = from_sparse(rule)
        weight = rule.weights
    if not hasattr(rule, "pairs"):
        raise SpikesimError(f"{label}: give a connection rule such as FixedProbability(0.1), or a SciPy sparse "
                            f"matrix, not {rule!r}.")  # fmt: skip
    if _is_dense(rule, source, target, weight, delay, plasticity):
        projection = _dense(network, index, label, pre, post, weight, delay, plasticity, receptor)
        if projection is not None:
            return projection
    stream = Stream(network.seed, "CONNECT", index)
    sources, targets = rule.pairs(source.ids, target.ids, pre is post, stream)
    n = len(sources)
    weight = np.ravel(weight) if np.ndim(weight) == 2 else weight
    weights = drawn(network, weight, n, "WEIGHT", index, f"{label}: weight")
    steps = delay_steps(delay, n, network, index, label)
    receptors = receptors_for(post, receptor, weights)
    projection = Projection(
        network, index, pre, post,
        sources=np.asarray(sources, dtype=np.int32), targets=np.asarray(targets, dtype=np.int32),
        weights=weights.astype(network.dtype), delay_steps=steps, receptors=receptors, rule=plasticity,
        dendritic_delay_fraction=float(dendritic_delay_fraction), dense=False, receptor=receptor,
    )  # fmt: skip
    if plasticity is not None:
        check_rule(projection)
        check_plastic_weights(projection, weights)
    return projection


def drawn(network: Network, value: Any, n: int, purpose: str, index: int, what: str) -> Any:
    """As `sample`, by all threads of the network where there is much to draw; a number does not depend on who draws."""
    if not isinstance(value, Distribution) or n < MUCH or network.threads == 1:
        return sample(value, n, Stream(network.seed, purpose, index), what)
    cuts = [n * t // network.threads for t in range(network.threads + 1)]

    def part(begin: int, end: int) -> Any:
        return sample(value, end - begin, Stream(network.seed, purpose, index, position=begin), what)

    with ThreadPoolExecutor(network.threads) as pool:
        return np.concatenate(list(pool.map(part, cuts, cuts[1:])))


def make_drive(network: Network, target: Population, rate: Any, weight: Any, receptor: str | None, delay: Any) -> Drive:
    """The drive that `Network.drive` describes. Raises SpikesimError for what does not fit."""
    index, label = len(network.drives), f"drive of {target.name!r}"
    _check_receptor(label, target, receptor, plastic=False, graded=False)

    def values(given: Any, what: str, draw: int) -> Any:
        n = 1 if is_number(given) else target.n
        return sample(given, n, Stream(network.seed, "DRIVE", (1 << 20) + 2 * index + draw), f"{label}: {what}")

    rates, weights = values(rate, "rate", 0), values(weight, "weight", 1)
    if (rates < 0).any():
        raise SpikesimError(f"{label}: rate must be >= 0 Hz, not {rates.min():g}.")
    place = receptors_for(target, receptor, weights)
    if np.ndim(place):
        raise SpikesimError(f"{label}: weights of both signs; use two drives, or give a receptor.")
    if target.model.conductance:
        weights = np.abs(weights)
    steps = int(delay_steps(delay, 1, network, index, label)[0])
    return Drive(target, index, rates, weights.astype(network.dtype), int(place), steps)


def delay_steps(delay: Any, n: int, network: Network, index: int, label: str) -> Any:
    """(n,) int32 steps, or one number where all delays are equal. At least one step each."""
    alike = is_number(delay)
    delays = drawn(network, delay, 1 if alike else n, "DELAY", index, f"{label}: delay")
    short = delays < network.dt * (1.0 - 1e-9)
    if short.any():
        raise SpikesimError(
            f"{label}: a delay of {delays[short][0]:g} ms is shorter than one step of dt = {network.dt:g} ms; "
            "give dt or more (TruncatedNormal has a lower limit)."
        )
    if (delays > LONGEST_DELAY * network.dt).any():
        raise SpikesimError(f"{label}: a delay of {delays.max():g} ms is longer than {LONGEST_DELAY} steps.")
    steps = np.rint(delays / network.dt).astype(np.int32)
    return np.full(n, steps[0], dtype=np.int32) if alike else steps


def _check_receptor(label: str, post: Population, receptor: str | None, plastic: bool, graded: bool) -> None:
    known = post.model.receptors
    if receptor is not None and receptor not in known:
        raise unknown(f"{label}: {type(post.model).__name__}", "receptor", str(receptor), known)
    if (receptor == "current") != graded:
        raise SpikesimError(f'{label}: the receptor "current" takes currents and nothing else does.')
    if not known and not (plastic and post.model.replays):
        raise SpikesimError(f"{label}: {type(post.model).__name__} has no receptors; only a plastic connection "
                            "may end on a source, and only on a SpikeSource.")  # fmt: skip


def receptors_for(post: Population, receptor: str | None, weights: Any) -> Any:
    """The number of the receptor of all synapses, or one for each where the sign of the weight selects it."""
    if receptor is not None:
        return post.model.receptors.index(receptor)
    if not post.model.sign_selects:
        return 0
    negative = weights < 0
    excitatory, inhibitory = (post.model.receptors.index(r) for r in ("excitatory", "inhibitory"))
    if not negative.any():
        return excitatory
    return inhibitory if negative.all() else np.where(negative, inhibitory, excitatory).astype(np.int8)


def _is_dense(rule: Any, source: View, target: View, weight: Any, delay: Any, plasticity: Rule | None) -> bool:
    """Whether a weight matrix serves: all pairs of two whole populations, one delay, and no hooks on spikes."""
    whole = len(source) == source.population.n and len(target) == target.population.n
    one_delay = is_number(delay)
    hooked = plasticity is not None and (plasticity.on_pre is not None or plasticity.on_post is not None)
    plain = isinstance(rule, AllToAll) and (rule.autapses or source.population is not target.population)
    return plain and whole and one_delay and not hooked and not source.population.model.graded


def _dense(
    network: Network, index: int, label: str, pre: Population, post: Population, weight: Any, delay: Any,
    plasticity: Rule | None, receptor: str | None,
) -> Projection | None:  # fmt: skip
    n = pre.n * post.n
    weight = np.ravel(weight) if np.ndim(weight) == 2 else weight
    weights = sample(weight, n, Stream(network.seed, "WEIGHT", index), f"{label}: weight")
    receptors = receptors_for(post, receptor, weights)
    if np.ndim(receptors) or (post.model.conductance and (weights < 0).any()):
        return None  # rows of a matrix are added as they are, to one receptor
    matrix = np.zeros((pre.n, post.n_padded), dtype=network.dtype)
    matrix[:, : post.n] = weights.reshape(pre.n, post.n)
    projection = Projection(
        network, index, pre, post, sources=None, targets=None, weights=matrix,
        delay_steps=delay_steps(delay, 1, network, index, label)[0], receptors=receptors, rule=plasticity,
        dendritic_delay_fraction=1.0, dense=True, receptor=receptor,
    )  # fmt: skip
    if plasticity is not None:
        check_rule(projection)
        check_plastic_weights(projection, weights)
    return projection


def check_plastic_weights(projection: Projection, weights: Any) -> None:
    """Raise SpikesimError for weights that the rule would clip at once, or that no plastic synapse can have."""
    rule, post, label = projection.rule, projection.target, repr(projection)
    assert rule is not None
    if rule.bounds != "none" and weights.size:
        low, high = float(weights.min()), float(weights.max())
        if low < rule.w_min or high > rule.w_max:
            raise SpikesimError(
                f"{label}: weights from {low:g} to {high:g} are outside w_min = {rule.w_min:g} ... w_max = "
                f"{rule.w_max:g}; give {type(rule).__name__} w_min and w_max (and w_ref) in the unit of the weights."
            )
    if np.ndim(receptors_for(post, projection.receptor, weights)):
        raise SpikesimError(f"{label}: plastic weights of both signs; make two projections, or give a receptor.")
    if post.model.conductance and (weights < 0).any():
        raise SpikesimError(f"{label}: plastic conductances must not be negative; use receptor='inhibitory'.")


def check_rule(projection: Projection) -> None:
    """Raise SpikesimError for a rule that this engine cannot run on this projection."""
    rule, label = projection.rule, repr(projection)
    assert rule is not None
    specs = rule.trace_specs()
    hooked = rule.on_pre is not None or rule.on_post is not None
    if hooked and (rule.post_state or any(s.mean_over for s in specs)):
        raise SpikesimError(f"{label}: a rule with on_pre or on_post cannot read post_state or averaged traces yet.")
    if projection.target.model.conductance and hooked and (rule.w_min < 0 or rule.bounds == "none"):
        raise SpikesimError(
            f"{label}: conductances must not become negative; give {type(rule).__name__} w_min >= 0, "
            "and receptor='inhibitory' for inhibition."
        )
    if any(s.reset_by_other and len(s.taus) > 1 for s in specs):
        raise SpikesimError(f"{label}: pairing {rule.pairing!r} is not defined for traces with two time constants.")
    if rule.events and (hooked or not projection.dense):
        raise SpikesimError(f"{label}: a rule with event hooks needs AllToAll() with one delay, and no on_pre/on_post.")
    for name in rule.post_state:
        if name not in projection.target.model.state:
            raise SpikesimError(
                f"{label}: {type(rule).__name__} reads {name!r} of the postsynaptic neuron, which "
                f"{type(projection.target.model).__name__} does not have."
            )
