"""Records data/power_law_stdp.h5; run it where nest-simulator is installed: python make_power_law.py

Each group is one set of parameters, its attributes, by NEST's names, and `delay.size` synapses that have nothing in
common but them. Pre- and postsynaptic neuron repeat given spikes.
"""

from pathlib import Path

import h5py
import nest
import numpy as np

DT, DURATION, N, SPIKES, TOGETHER = 0.5, 400.0, 16, 25, 3
CASES = {  # parameters, and the weights (pA) that synapses begin with, from the first to the last
    "hpc_benchmark": ({"lambda": 0.1, "alpha": 0.0513, "mu": 0.4, "tau_plus": 15.0, "tau_minus": 30.0}, (20.0, 90.0)),
    "around_one": ({"lambda": 0.05, "alpha": 1.0, "mu": 0.4, "tau_plus": 20.0, "tau_minus": 20.0}, (0.1, 4.0)),
    "mu_1": ({"lambda": 0.02, "alpha": 1.1, "mu": 1.0, "tau_plus": 20.0, "tau_minus": 33.7}, (1.0, 100.0)),
    # The loss at one pre spike may exceed the weight; with mu = 0 the weight comes back from 0.
    "mu_0_meets_0": ({"lambda": 0.5, "alpha": 4.0, "mu": 0.0, "tau_plus": 20.0, "tau_minus": 10.0}, (0.5, 5.0)),
}


def trains(rng, delays):
    """(N, SPIKES) pre- and postsynaptic spike times (ms), TOGETHER of which reach each synapse at the same time."""
    steps, pre, post = np.arange(20, round(DURATION / DT) - 20), [], []
    for delay in delays:
        pre.append(rng.choice(steps, SPIKES, replace=False))
        same = pre[-1][:TOGETHER] - round(delay / DT)
        others = rng.choice(np.setdiff1d(steps, same), SPIKES - TOGETHER, replace=False)
        post.append(np.concatenate((same, others)))
    return np.sort(pre) * DT, np.sort(post) * DT


def record(parameters, weights, delays, pre_times, post_times):
    """(N, SPIKES) the weight of each presynaptic spike."""
    nest.ResetKernel()
    nest.resolution = DT
    seen = nest.Create("weight_recorder")
    common = {key: value for key, value in parameters.items() if key != "tau_minus"}
    nest.CopyModel("stdp_pl_synapse_hom", "plastic", {**common, "weight_recorder": seen})
    pre, post = nest.Create("parrot_neuron", N), nest.Create("parrot_neuron", N)
    post.tau_minus = parameters["tau_minus"]
    for neurons, times in ((pre, pre_times), (post, post_times)):
        for neuron, train in zip(neurons, times, strict=True):
            source = nest.Create("spike_generator", params={"spike_times": train - 1.0})
            nest.Connect(source, neuron, syn_spec={"delay": 1.0})
    for k in range(N):  # what comes in at receptor 1 a parrot neuron does not repeat
        synapse = {"synapse_model": "plastic", "weight": weights[k], "delay": delays[k], "receptor_type": 1}
        nest.Connect(pre[k], post[k], "one_to_one", synapse)
    nest.Simulate(DURATION)
    events = seen.events
    order = np.lexsort((events["times"], events["senders"]))
    found = np.asarray(events["weights"])[order].reshape(N, SPIKES)
    assert np.allclose(np.asarray(events["times"])[order].reshape(N, SPIKES), pre_times)
    return found


rng = np.random.default_rng(1)
with h5py.File(Path(__file__).parent / "data" / "power_law_stdp.h5", "w") as file:
    file.attrs["doc"] = (
        f"Synapses by NEST {nest.__version__}, stdp_pl_synapse_hom; attributes of a group: its parameters. Rows are "
        "synapses: `pre_times`, `post_times` are when the neurons fire (ms), `delay` is wholly dendritic (ms), "
        "`weight` (pA) that in the beginning, `weights` those that the presynaptic spikes carried."
    )
    file.attrs["dt_ms"], file.attrs["T_ms"] = DT, DURATION
    for name, (parameters, (low, high)) in CASES.items():
        delays, weights = rng.integers(1, 9, N) * DT, np.linspace(low, high, N)
        pre, post = trains(rng, delays)
        found = record(parameters, weights, delays, pre, post)
        group = file.create_group(name)
        group.attrs.update(parameters)
        group["delay"], group["weight"] = delays, weights
        group["pre_times"], group["post_times"], group["weights"] = pre, post, found
        print(name, found[:, 0].round(3), found[:, -1].round(3), (found == 0).sum())
