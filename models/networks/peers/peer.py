"""What the programs beside this one share. Needs nothing but Python's own library."""

import contextlib
import json
import resource
import sys
import time
from types import SimpleNamespace


class Job:
    """What to run, read from stdin, and what came of it, printed by `report`.

    `p` holds the network's parameters; `time` is in ms. Enclose the stages in `with job.timed("build")`, "compile" and
    "run"; the last one is the simulation loop and nothing else. `spikes` is None, or the .npz file that somebody wants
    the spikes in; a program may leave it.
    """

    def __init__(self):
        given = json.load(sys.stdin)
        self.p = SimpleNamespace(**given["parameters"])
        self.time, self.seed, self.threads = given["time"], given["seed"], given["threads"]
        self.spikes = given.get("spikes")
        self.seconds = {"build": 0.0, "compile": 0.0, "run": 0.0}

    @contextlib.contextmanager
    def timed(self, stage):
        began = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - began

    def report(self, version, rates_hz, peak_rss_gb=None):
        """The one line that the benchmark reads."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
        found = {
            "realtime_factor": self.seconds["run"] / (self.time * 1e-3),
            **{f"{stage}_s": seconds for stage, seconds in self.seconds.items()},
            "peak_rss_gb": peak if peak_rss_gb is None else peak_rss_gb,
            "rates_hz": rates_hz,
            "seed": self.seed,
            "threads": self.threads,
            "precision": "double",
            "version": version,
        }
        print("\n" + json.dumps(found), flush=True)
