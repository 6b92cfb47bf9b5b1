"""`potjans_2014` in NEST, as in its own example of the network."""

import math

import nest
import with_nest
from peer import Job

POPULATIONS = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
INDEGREES_EXT = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)
V_INIT = {  # mV: (mean, standard deviation) of each population
    "optimized": (
        (-68.28, 5.36), (-63.16, 4.57), (-63.33, 4.74), (-63.45, 4.94),
        (-63.11, 4.94), (-61.66, 4.55), (-66.72, 5.46), (-61.43, 4.48),
    ),
    "original": ((-58.0, 10.0),) * 8,
}  # fmt: skip

job = Job()
p = job.p


def around(mean, relative, low, high):
    """Gaussian, drawn again until it lies between the limits."""
    return nest.math.redraw(nest.random.normal(mean, abs(mean) * relative), min=low, max=high)


with job.timed("build"):
    with_nest.start(job)
    neuron = {
        "C_m": p.C_m, "tau_m": p.tau_m, "tau_syn_ex": p.tau_syn, "tau_syn_in": p.tau_syn, "t_ref": p.t_ref,
        "E_L": p.E_L, "V_th": p.V_th, "V_reset": p.V_reset,
    }  # fmt: skip
    groups = {}
    for name, size, current, (mean, sd) in zip(POPULATIONS, p.sizes, p.currents, V_INIT[p.V_init], strict=True):
        groups[name] = nest.Create("iaf_psc_exp", size, params={**neuron, "I_e": current})
        groups[name].V_m = nest.random.normal(mean, sd)
    if p.drive == "poisson":
        for group, indegree in zip(groups.values(), INDEGREES_EXT, strict=True):
            outside = nest.Create("poisson_generator", params={"rate": indegree * p.K_scaling * p.bg_rate})
            nest.Connect(outside, group, syn_spec={"weight": p.weight_ext, "delay": p.delay_ex})
    for i, target in enumerate(groups.values()):
        nest.CopyModel("static_synapse", f"static_{i}")  # one model holds no more than 2**27 synapses of a thread
        for j, source in enumerate(groups.values()):
            if not p.synapses[i][j]:
                continue
            mean = p.weights[i][j]
            delay, low, high = (p.delay_ex, 0.0, math.inf) if mean > 0 else (p.delay_in, -math.inf, 0.0)
            synapse = {
                "synapse_model": f"static_{i}",
                "weight": around(mean, p.PSP_rel_sd, low, high),
                "delay": around(delay, p.delay_rel_sd, p.dt / 2, math.inf),
            }
            nest.Connect(source, target, {"rule": "fixed_total_number", "N": p.synapses[i][j]}, synapse)
with_nest.run(job, groups, lead=p.dt)
