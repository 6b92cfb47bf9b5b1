"""Brian 2 in C++ standalone mode: how to start it, and how to run and count in it."""

import os
import tempfile

import brian2

LOOP = """
std::ofstream("loop_s.txt") << std::chrono::duration<double>(std::chrono::steady_clock::now() - bench_began).count();
"""
PEAK = """
struct rusage bench_usage;
getrusage(RUSAGE_SELF, &bench_usage);
std::ofstream("peak_kb.txt") << bench_usage.ru_maxrss;
"""


def start(job):
    """Choose the standalone device with the job's threads, seed and dt."""
    brian2.set_device("cpp_standalone", build_on_run=False)
    brian2.prefs.devices.cpp_standalone.openmp_threads = job.threads if job.threads > 1 else 0
    brian2.prefs.codegen.cpp.headers += ["<chrono>", "<sys/resource.h>"]
    brian2.defaultclock.dt = job.p.dt * brian2.ms
    brian2.seed(job.seed % 2**32)


def random_sources(rng, sources, targets, k):
    """(i, j) with `k` random sources, drawn with replacement, for each of `targets` neurons."""
    np = brian2.np
    return rng.integers(0, sources, targets * k), np.repeat(np.arange(targets), k)


def run(job, objects, groups):
    """Compile, run and report. `groups` is name -> NeuronGroup or a part of one; `objects` are all of the network.

    The binary times its own loop, by the wall clock; what it does before, reading and creating synapses, is building.
    """
    device = brian2.device
    with job.timed("build"):
        monitors = {name: brian2.SpikeMonitor(group) for name, group in groups.items()}
        network = brian2.Network(objects, *monitors.values())
        device.insert_code("before_network_run", "const auto bench_began = std::chrono::steady_clock::now();")
        device.insert_code("after_network_run", LOOP)
        device.insert_code("before_end", PEAK)
        network.run(job.time * brian2.ms)
    with tempfile.TemporaryDirectory() as folder:
        with job.timed("compile"):
            device.build(directory=folder, compile=True, run=False)
        with job.timed("build"):
            device.run(with_output=False)
        loop, peak = (_number(os.path.join(folder, name)) for name in ("loop_s.txt", "peak_kb.txt"))
        job.seconds["build"] -= loop
        job.seconds["run"] = loop
        rates = {name: monitors[name].num_spikes / (len(groups[name]) * job.time * 1e-3) for name in groups}
        job.report(brian2.__version__, rates, peak_rss_gb=peak * 1024 / 1e9)


def _number(path):
    with open(path, encoding="utf-8") as file:
        return float(file.read())
