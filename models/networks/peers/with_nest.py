"""NEST: how to start it, and how to run and count in it."""

import nest
import numpy as np


def start(job):
    """A fresh kernel with the job's threads, seed and dt."""
    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.SetKernelStatus(
        {"local_num_threads": job.threads, "resolution": job.p.dt, "rng_seed": 1 + job.seed % (2**32 - 2)}
    )


def run(job, populations, lead):
    """Run and report. `populations` is name -> nodes; `lead` (ms) is run before the clock starts.

    The first steps of a simulation make NEST sort and exchange its connections, which counts as building. If the job
    asks for spikes, they are saved as NAME_steps (their times in units of dt, `lead` included) and NAME_ids (from 0).
    """
    with job.timed("build"):
        recorders = {name: nest.Create("spike_recorder") for name in populations}
        for name, nodes in populations.items():
            nest.Connect(nodes, recorders[name])
        nest.Prepare()
        nest.Run(lead)
    with job.timed("run"):
        nest.Run(job.time)
    nest.Cleanup()
    if job.spikes:
        np.savez(job.spikes, **_spikes(job, populations, recorders))
    seconds = (job.time + lead) * 1e-3
    rates = {name: recorders[name].n_events / (len(nodes) * seconds) for name, nodes in populations.items()}
    job.report(nest.__version__, rates)


def _spikes(job, populations, recorders):
    found = {}
    for name, nodes in populations.items():
        events, ids = recorders[name].events, np.asarray(nodes.tolist())
        found[f"{name}_steps"] = np.rint(events["times"] / job.p.dt).astype(np.int64)
        found[f"{name}_ids"] = np.searchsorted(ids, events["senders"])
    return found
