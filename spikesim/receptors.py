"""Which receptor of its target a synapse ends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikesim.errors import SpikesimError, unknown

if TYPE_CHECKING:
    from spikesim.population import Population


def check_receptor(label: str, post: Population, receptor: str | None, plastic: bool, graded: bool) -> None:
    """Raise SpikesimError where the target has no such receptor, or none for what arrives."""
    known = post.model.receptors
    if receptor is not None and receptor not in known:
        raise unknown(f"{label}: {type(post.model).__name__}", "receptor", str(receptor), known)
    if (receptor == "current") != graded:
        raise SpikesimError(f'{label}: the receptor "current" takes currents and nothing else does.')
    if not known and not (plastic and post.model.replays):
        raise SpikesimError(f"{label}: {type(post.model).__name__} has no receptors; only a plastic connection "
                            "may end on a source, and only on a SpikeSource.")  # fmt: skip


def receptors_for(post: Population, receptor: str | None, limits: tuple[float, float]) -> tuple[int, int]:
    """The numbers of the receptors of weights >= 0 and of those < 0, all of them within the limits. The two differ only
    where the sign of the weight selects the receptor and there may be weights of both signs."""
    if receptor is not None:
        place = post.model.receptors.index(receptor)
        return place, place
    if not post.model.sign_selects:
        return 0, 0
    excitatory, inhibitory = (post.model.receptors.index(r) for r in ("excitatory", "inhibitory"))
    low, high = limits
    return inhibitory if high < 0 else excitatory, inhibitory if low < 0 else excitatory
