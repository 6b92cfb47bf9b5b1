"""From what the user says about a projection to its synapses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.connectors import AllToAll, from_sparse
from spikesim.delays import delays
from spikesim.distributions import is_number, sample
from spikesim.drive import Drive
from spikesim.errors import SpikesimError, unknown
from spikesim.hook_check import check_rule_hooks
from spikesim.plasticity import Rule
from spikesim.projection import Projection
from spikesim.receptors import check_receptor, receptors_for
from spikesim.rng import Stream
from spikesim.short_term import ShortTermRule
from spikesim.values import Drawn, Values, extent, values
from spikesim.wiring import Listed

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.population import Population, View


def make_projection(
    network: Network, source: View, target: View, rule: Any, *, weight: Any, delay: Any,
    plasticity: Rule | ShortTermRule | None, receptor: str | None, dendritic_delay_fraction: float, sends: str,
) -> Projection:  # fmt: skip
    """The projection that `Network.connect` describes. Raises SpikesimError for what does not fit."""
    pre, post, index = source.population, target.population, len(network.projections)
    label = f"connect {pre.name!r} -> {post.name!r}"
    if plasticity is not None and not isinstance(plasticity, (Rule, ShortTermRule)):
        raise SpikesimError(f"{label}: plasticity is a rule such as PairSTDP(), not {plasticity!r}.")
    long_term = isinstance(plasticity, Rule)
    if not (isinstance(dendritic_delay_fraction, (int, float)) and 0.0 <= dendritic_delay_fraction <= 1.0):
        raise SpikesimError(f"{label}: dendritic_delay_fraction is from 0 to 1, not {dendritic_delay_fraction!r}.")
    if pre.model.graded:
        if plasticity is not None:
            raise SpikesimError(f"{label}: {type(pre.model).__name__} emits a current; only spikes change weights.")
        receptor = receptor or "current"
    check_receptor(label, post, receptor, plastic=long_term, graded=pre.model.graded)
    if sends != "spikes" and pre.model.graded:
        raise SpikesimError(f"{label}: {type(pre.model).__name__} sends its current, not {sends!r}.")
    if sends != "spikes" and sends not in pre.model.state:
        known = ("spikes", *pre.model.state)
        raise unknown(f"{label}: sends: {type(pre.model).__name__}", "state variable", str(sends), known)
    if hasattr(rule, "tocoo"):
        rule = from_sparse(rule)
        weight = rule.weights
    if not hasattr(rule, "wire"):
        raise SpikesimError(f"{label}: give a connection rule such as FixedProbability(0.1), or a SciPy sparse "
                            f"matrix, not {rule!r}.")  # fmt: skip
    wiring = rule.wire(source.ids, target.ids, pre is post, Stream(network.seed, "CONNECT", index), network.threads)
    all_pairs = network.matrices and _all_pairs(rule, source, target, delay, plasticity)

    def count() -> int:
        return wiring.n

    weights = values(weight, Stream(network.seed, "WEIGHT", index), count, f"{label}: weight")
    if isinstance(weights, Drawn) and (all_pairs or long_term):
        weights.limits = extent(weights, count(), network.threads)  # what may be drawn need not be
    dense = all_pairs and _one_receptor(post, receptor, weights)
    if sends != "spikes" and (plasticity is not None or not _one_receptor(post, receptor, weights)):
        raise SpikesimError(f"{label}: sends={sends!r} goes to one receptor, over synapses without plasticity.")
    steps = network.make_delays(delay, Stream(network.seed, "DELAY", index), network.dt, count, network.threads, label)
    projection = Projection(
        network, index, pre, post, wiring=None if dense else wiring, weight=weights, delay=steps, rule=plasticity,
        receptor=receptor, dendritic_delay_fraction=1.0 if dense else float(dendritic_delay_fraction), sends=sends,
    )  # fmt: skip
    if not dense and not isinstance(wiring, Listed):
        projection.made_by = rule, source.ids, target.ids
    if long_term:
        check_rule(projection)
        check_plastic_weights(projection, weights)
    if dense:
        matrix = np.zeros((pre.n, post.n_padded), dtype=network.dtype)
        matrix[:, : post.n] = projection.first_weights().reshape(pre.n, post.n)
        projection.arrays["weights"] = matrix
    return projection


def make_drive(network: Network, target: Population, rate: Any, weight: Any, receptor: str | None, delay: Any) -> Drive:
    """The drive that `Network.drive` describes. Raises SpikesimError for what does not fit."""
    index, label = len(network.drives), f"drive of {target.name!r}"
    check_receptor(label, target, receptor, plastic=False, graded=False)

    def drawn(given: Any, what: str, draw: int) -> Any:
        n = 1 if is_number(given) else target.n
        return sample(given, n, Stream(network.seed, "DRIVE", (1 << 20) + 2 * index + draw), f"{label}: {what}")

    rates, weights = drawn(rate, "rate", 0), drawn(weight, "weight", 1)
    if (rates < 0).any():
        raise SpikesimError(f"{label}: rate must be >= 0 Hz, not {rates.min():g}.")
    positive, negative = receptors_for(target, receptor, (weights.min(), weights.max()))
    if positive != negative:
        raise SpikesimError(f"{label}: weights of both signs; use two drives, or give a receptor.")
    if target.model.conductance:
        weights = np.abs(weights)
    steps = delays(delay, Stream(network.seed, "DRIVE", 0), network.dt, lambda: 1, 1, label)
    if not steps.alike:
        raise SpikesimError(f"{label}: delay is one number for all neurons, not {delay!r}.")
    return Drive(target, index, rates, weights.astype(network.dtype), positive, steps.shortest)


def _all_pairs(rule: Any, source: View, target: View, delay: Any, plasticity: Rule | ShortTermRule | None) -> bool:
    """Whether a weight matrix may serve: all pairs of two whole populations, one delay, and no hooks on spikes."""
    pre, post = source.population, target.population
    whole = len(source) == pre.n and len(target) == post.n
    if isinstance(plasticity, ShortTermRule):
        return False
    hooked = plasticity is not None and plasticity.local()
    plain = isinstance(rule, AllToAll) and (rule.autapses or pre is not post)
    return plain and whole and is_number(delay) and not hooked and not pre.model.graded


def _at_spikes(rule: Rule) -> bool:
    """Whether the rule has something to do at the spikes of single synapses."""
    return rule.on_pre is not None or rule.on_post is not None or bool(rule.synapse)


def _one_receptor(post: Population, receptor: str | None, weights: Values) -> bool:
    """Whether rows of a weight matrix can be added as they are."""
    positive, negative = receptors_for(post, receptor, weights.limits)
    return positive == negative and not (post.model.conductance and weights.limits[0] < 0)


def check_plastic_weights(projection: Projection, weights: Values) -> None:
    """Raise SpikesimError for weights that the rule would clip at once, or that no plastic synapse can have."""
    rule, post, label = projection.rule, projection.target, repr(projection)
    assert rule is not None
    low, high = weights.limits
    if rule.bounds != "none" and len(projection):
        if low < rule.w_min or high > rule.w_max:
            raise SpikesimError(
                f"{label}: weights from {low:g} to {high:g} are outside w_min = {rule.w_min:g} ... w_max = "
                f"{rule.w_max:g}; give {type(rule).__name__} w_min and w_max (and w_ref) in the unit of the weights."
            )
    positive, negative = receptors_for(post, projection.receptor, weights.limits)
    if positive != negative:
        raise SpikesimError(f"{label}: plastic weights of both signs; make two projections, or give a receptor.")
    if post.model.conductance and low < 0:
        raise SpikesimError(f"{label}: plastic conductances must not be negative; use receptor='inhibitory'.")


def check_rule(projection: Projection) -> None:
    """Raise SpikesimError for a rule that this engine cannot run on this projection."""
    rule, label = projection.rule, repr(projection)
    assert rule is not None
    check_rule_hooks(rule)
    specs = rule.trace_specs()
    hooked = rule.local()
    if hooked and (rule.post_state or any(s.mean_over for s in specs)):
        raise SpikesimError(f"{label}: only event hooks can read post_state or averaged traces; others have signals.")
    if rule.signals and not hooked:
        raise SpikesimError(f"{label}: only on_pre, on_post and drift can read signals; event hooks have post_state.")
    if projection.target.model.conductance and hooked and (rule.w_min < 0 or rule.bounds == "none"):
        raise SpikesimError(
            f"{label}: conductances must not become negative; give {type(rule).__name__} w_min >= 0, "
            "and receptor='inhibitory' for inhibition."
        )
    if any(spec.memory is not None and not spec.mean_over for spec in specs):
        raise SpikesimError(f"{label}: only averaged traces can have a memory.")
    _check_local_traces(rule, label)
    shortest = projection.delay.shortest
    if rule.coincident == "post_first" and hooked and round(shortest * projection.dendritic_delay_fraction) < 1:
        raise SpikesimError(
            f"{label}: coincident='post_first' needs a dendritic delay of a step or more, for without one a post spike "
            "is known only after the potentials of its step; give a longer delay or dendritic_delay_fraction."
        )
    if rule.events and not hooked and not projection.dense:
        raise SpikesimError(f"{label}: a rule with nothing but event hooks needs AllToAll() with one delay.")
    if rule.continuous() and (rule.synapse or rule.events or rule.pre_lag or rule.coincident != "exclude"):
        raise SpikesimError(
            f"{label}: a rule with signals or drift has no variables at the synapse, no events and no lag, and "
            "coincident='exclude'."
        )
    if rule.continuous() and any(s.reset_by_other for s in specs):
        raise SpikesimError(f"{label}: pairing {rule.pairing!r} is not defined for rules with signals or drift.")
    for name in dict.fromkeys((*rule.post_state, *(s.variable for s in rule.signals.values()))):
        if name not in projection.target.model.state:
            neuron = f"{type(projection.target.model).__name__}, which {type(rule).__name__} reads,"
            raise unknown(f"{label}: {neuron}", "state variable", name, projection.target.model.state)


def _check_local_traces(rule: Rule, label: str) -> None:
    """Raise SpikesimError for traces that cannot be kept at the synapse, but would have to be."""
    for side in ("pre", "post"):
        specs = [spec for spec in rule.trace_specs() if spec.side == side]
        if any(spec.jump for spec in specs) and any(spec.mean_over for spec in specs):
            raise SpikesimError(f"{label}: traces whose jumps depend on others cannot be beside averaged ones.")
        if rule.coincident == f"{side}_first":
            why = f"coincident={rule.coincident!r}"
        elif any(spec.reset_by_other for spec in specs):
            why = f"pairing {rule.pairing!r}"
        else:
            continue
        if any(len(spec.taus) > 1 for spec in specs):
            raise SpikesimError(f"{label}: {why} is not defined for traces with two time constants.")
        if any(spec.jump is not None for spec in specs):
            raise SpikesimError(f"{label}: {why} cannot be had with traces whose jumps depend on other traces.")
