"""Which rule explains which experiment: the errors of all rules for all data sets.

    python benchmarks/rule_table.py

writes docs/results/rule_table.json and puts the table into README.md, between the two markers there. `published` are
the errors of the best preset of each rule, `refitted` what `spikesim fit` reaches for one data set at a time;
rules that read the postsynaptic neuron are not refitted. It takes some minutes. The seed is that of the fits.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from spikesim.card_index import markdown
from spikesim.card_table import compare, rules_named
from spikesim.output import plain
from spikesim.provenance import provenance

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "results" / "rule_table.json"
BLOCK = re.compile(r"(<!-- rule table -->\n).*?(<!-- end of rule table -->)", re.DOTALL)
SEED = 1


def block() -> str:
    """The text between the markers."""
    found = json.loads(RESULT.read_text(encoding="utf-8"))
    return markdown(found)


def main() -> None:
    """Compute and write."""
    table = compare(rules_named("all"), refit=True, seed=SEED, note=print)
    text = json.dumps(plain({**table, "provenance": provenance()}), indent=2, allow_nan=False)
    RESULT.write_text(text + "\n", encoding="utf-8")
    path = ROOT / "README.md"
    readme = path.read_text(encoding="utf-8")
    path.write_text(BLOCK.sub(lambda m: m[1] + block() + m[2], readme), encoding="utf-8")
    print(f"wrote {RESULT} and {path}")


if __name__ == "__main__":
    main()
