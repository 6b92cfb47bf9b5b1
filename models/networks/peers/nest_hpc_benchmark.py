"""`hpc_benchmark` in NEST, as in its own example of that name."""

import nest
import with_nest
from peer import Job

job = Job()
p = job.p
with job.timed("build"):
    with_nest.start(job)
    neuron = {
        "E_L": 0.0, "C_m": p.C_m, "tau_m": p.tau_m, "t_ref": p.t_ref, "V_th": p.V_th, "V_reset": p.V_reset,
        "tau_syn_ex": p.tau_syn, "tau_syn_in": p.tau_syn, "tau_minus": p.tau_minus,
    }  # fmt: skip
    exc, inh = (nest.Create("iaf_psc_alpha", n, params=neuron) for n in (p.N_E, p.N_I))
    for nodes in (exc, inh):
        nodes.V_m = nest.random.normal(p.V_mean, p.V_sd)
    outside = nest.Create("poisson_generator", params={"rate": p.rate_ext})

    nest.CopyModel("static_synapse_hpc", "excitatory", {"weight": p.weight_ex, "delay": p.delay})
    nest.CopyModel("static_synapse_hpc", "inhibitory", {"weight": p.g * p.weight_ex, "delay": p.delay})
    plastic = "excitatory"
    if p.plasticity == "stdp":
        # NEST's w_ref is 1 pA, ours 1/K_scaling; its power 1 - mu is a factor of potentiation, not of depression.
        factor = p.K_scaling ** (p.mu - 1.0)
        common = {"lambda": p.lambda_ * factor, "alpha": p.alpha / factor, "mu": p.mu, "tau_plus": p.tau_plus}
        nest.CopyModel("stdp_pl_synapse_hom_hpc", "plastic", {**common, "weight": p.weight_ex, "delay": p.delay})
        plastic = "plastic"
    from_exc, from_inh = (
        {"rule": "fixed_indegree", "indegree": k, "allow_autapses": False, "allow_multapses": True}
        for k in (p.C_E, p.C_I)
    )
    nest.Connect(outside, exc + inh, "all_to_all", {"synapse_model": "excitatory"})
    nest.Connect(exc, exc, from_exc, {"synapse_model": plastic})
    nest.Connect(exc, inh, from_exc, {"synapse_model": "excitatory"})
    nest.Connect(inh, exc + inh, from_inh, {"synapse_model": "inhibitory"})
with_nest.run(job, {"excitatory": exc, "inhibitory": inh}, lead=p.delay)
