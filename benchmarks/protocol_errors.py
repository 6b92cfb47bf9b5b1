"""How well published parameter sets explain the experiments they were fitted to, and those they were not.

    python benchmarks/protocol_errors.py

writes docs/results/protocol_errors.json: the error E (mean squared deviation in units of the s.e.m., Pfister &
Gerstner 2006, doi:10.1523/JNEUROSCI.1425-06.2006) of each preset in each protocol that has measurements.
"""

from __future__ import annotations

import json
from pathlib import Path

from spikesim.models.plasticity import PairSTDP, TripletSTDP
from spikesim.provenance import provenance
from spikesim.registry import discover

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def errors() -> dict[str, dict[str, float]]:
    """ "Rule, preset" -> protocol -> E."""
    protocols = {name: cls() for name, cls in discover("protocol").items()}
    found = {}
    for rule in (PairSTDP, TripletSTDP):
        for preset in rule.presets:
            taking = {name: protocol for name, protocol in protocols.items() if protocol.takes(rule)}
            results = {name: protocol.run(rule(preset=preset)).error for name, protocol in taking.items()}
            found[f"{rule.__name__}, {preset}"] = {name: e for name, e in results.items() if e is not None}
    return found


def main() -> None:
    """Compute and write."""
    path = RESULTS / "protocol_errors.json"
    text = json.dumps({"seed": None, "errors": errors(), "provenance": provenance()}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
