"""How quickly rules that read the potential are swept and fitted: side by side, and one by one.

    python benchmarks/voltage_sweeps.py [--values 1000] [--alone 5] [--out FOLDER] [--quick]

For ClopathSTDP and Convallis: a sweep of `sjostrom_2001` over one parameter, and parameter sets as a fit draws them,
for the data sets that the rule is fitted to. `--values` of them go side by side (`spikesim.voltage_side_by_side`), and
`--alone` of them one by one (`Protocol.induce`). Compiling is timed apart: seconds of the first two values where no
compiled code is on disk; the first rule compiles what all have in common, too. Seconds are CPU time of the process,
which other work on the machine changes little. Writes voltage_sweeps.json to docs/results; with --quick, a small
version to see that all works.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.fit import Measurements, free_parameters
from spikesim.models.plasticity.clopath_stdp import ClopathSTDP
from spikesim.models.plasticity.convallis import Convallis
from spikesim.plasticity import Rule
from spikesim.protocol import Protocol
from spikesim.protocols.bi_poo_1998 import BiPoo1998
from spikesim.protocols.sjostrom_2001 import Sjostrom2001
from spikesim.protocols.wang_2005 import Wang2005
from spikesim.provenance import provenance
from spikesim.side_by_side import relative_changes
from spikesim.sweep import sweep

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SEED = 1
SWEPT: dict[type[Rule], tuple[str, float, float]] = {
    ClopathSTDP: ("tau_x", 5.0, 40.0),
    Convallis: ("tau_m", 15.0, 60.0),
}


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of the process."""
    began = time.process_time()
    work()
    return time.process_time() - began


def compiling(rule: Rule) -> dict[str, float]:
    """Seconds until two values of a rule, and one alone, are walked for the first time."""
    protocol = Sjostrom2001(pairs=1)
    rows = [(protocol, condition) for condition in protocol.conditions() if condition.variables["frequency"] > 10.0]
    return {
        "side_by_side": seconds(lambda: relative_changes([rule, rule], rows)),
        "one_by_one": seconds(lambda: protocol.induce(rule, rows[0][1])),
    }


def swept(rule: Rule, values: int, alone: int) -> dict[str, Any]:
    """Values per second of a sweep."""
    name, low, high = SWEPT[type(rule)]
    protocol, grid = Sjostrom2001(), np.linspace(low, high, values).tolist()
    conditions = list(protocol.conditions())
    taken = seconds(lambda: sweep(protocol, rule, f"rule.{name}", grid))
    others = [rule.replace(**{name: value}) for value in grid[:: max(1, values // alone)][:alone]]
    apart = seconds(lambda: [protocol.induce(each, condition) for each in others for condition in conditions])
    return {"parameter": name, "side_by_side": values / taken, "one_by_one": len(others) / apart}


def fitted(rule: Rule, protocols: dict[str, Protocol], values: int, alone: int) -> dict[str, Any]:
    """Parameter sets per second that a fit can try."""
    free, rng = free_parameters(rule), np.random.default_rng(SEED)
    rules = [rule.replace(**{f.name: f.value(x) for f, x in zip(free, point, strict=True)})
             for point in rng.uniform(size=(values, len(free)))]  # fmt: skip
    data = Measurements(protocols)
    taken = seconds(lambda: data.residuals(rules, lost=True))
    apart = seconds(lambda: [protocol.induce(each, c) for each in rules[:alone] for protocol, c in data.rows])
    return {"data": list(protocols), "side_by_side": values / taken, "one_by_one": alone / apart}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--values", type=int, default=1000)
    parser.add_argument("--alone", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    values, alone = (4, 1) if given.quick else (given.values, given.alone)
    result: dict[str, Any] = {"seed": SEED, "values": values, "rules": {}, "provenance": provenance()}
    short = Sjostrom2001(pairs=2)
    sets: dict[str, Protocol] = {"bi_poo_1998": BiPoo1998(), "wang_2005": Wang2005()}
    with tempfile.TemporaryDirectory() as empty:
        os.environ["SPIKESIM_CACHE"] = empty
        for kind in SWEPT:
            rule = kind()
            told = {"compile_s": compiling(rule), "sweep_per_s": swept(rule, values, alone)}
            told["fits_per_s"] = [
                fitted(rule, each, max(4, values // 4), alone)
                for each in ([{"sjostrom_2001": short}] if given.quick else [{"sjostrom_2001": Sjostrom2001()}, sets])
            ]
            result["rules"][kind.__name__] = told
            print(kind.__name__, json.dumps(told, indent=2))
    path = given.out / "voltage_sweeps.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
