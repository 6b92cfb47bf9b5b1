"""`brunel_10k` in NEST."""

import nest
import with_nest
from peer import Job

job = Job()
p = job.p
with job.timed("build"):
    with_nest.start(job)
    neuron = {
        "E_L": 0.0, "V_th": p.theta, "V_reset": p.V_reset, "tau_m": p.tau_m, "t_ref": p.t_ref,
        "C_m": 250.0, "I_e": 250.0 * p.drive / p.tau_m,
    }  # fmt: skip
    learns = {"static": {}, "pair": {"tau_minus": 20.0}, "triplet": {"tau_minus": 33.7, "tau_minus_triplet": 114.0}}
    neuron |= learns[p.plasticity]
    exc = nest.Create("iaf_psc_delta", p.N_E, params=neuron)
    inh = nest.Create("iaf_psc_delta", p.N_I, params=neuron)
    for nodes in (exc, inh):
        nodes.V_m = nest.random.uniform(0.0, p.theta)

    w_max, rate = 2 * p.J, p.learning_rate
    plastic: dict = {"synapse_model": "static_synapse"}
    if p.plasticity == "pair":
        # Potentiation is lambda Wmax, depression alpha times that.
        common = {"tau_plus": 20.0, "lambda": rate, "alpha": 1.05, "mu_plus": 0.0, "mu_minus": 0.0, "Wmax": w_max}
        nest.CopyModel("stdp_synapse_hom", "pair", common)
        plastic = {"synapse_model": "pair"}
    elif p.plasticity == "triplet":
        plastic = {
            "synapse_model": "stdp_triplet_synapse", "tau_plus": 16.8, "tau_plus_triplet": 101.0, "Wmax": w_max,
            "Aplus": 0.0, "Aplus_triplet": 6.5e-3 * rate * w_max,
            "Aminus": 7.1e-3 * rate * w_max, "Aminus_triplet": 0.0,
        }  # fmt: skip
    from_exc, from_inh = ({"rule": "fixed_indegree", "indegree": k} for k in (p.C_E, p.C_I))
    static = {"synapse_model": "static_synapse", "delay": p.delay}
    nest.Connect(exc, exc, from_exc, {**plastic, "weight": p.J, "delay": p.delay})
    nest.Connect(exc, inh, from_exc, {**static, "weight": p.J})
    nest.Connect(inh, exc + inh, from_inh, {**static, "weight": -p.g * p.J})
with_nest.run(job, {"excitatory": exc, "inhibitory": inh}, lead=p.delay)
