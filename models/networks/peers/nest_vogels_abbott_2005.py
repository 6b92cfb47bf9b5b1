"""`vogels_abbott_2005` in NEST."""

import nest
import with_nest
from peer import Job

job = Job()
p = job.p
with job.timed("build"):
    with_nest.start(job)
    leak = p.C_m / p.tau_m  # nS
    neuron = {
        "C_m": p.C_m, "tau_syn_ex": p.tau_ex, "tau_syn_in": p.tau_in, "t_ref": p.t_ref, "E_L": p.E_L,
        "V_th": p.V_th, "V_reset": p.V_reset, "I_e": p.I_e,
    }  # fmt: skip
    cuba = p.synapses == "cuba"
    model, own = ("iaf_psc_exp", {"tau_m": p.tau_m}) if cuba else ("iaf_cond_exp", {"g_L": leak})
    if not cuba:
        own |= {"E_ex": p.E_ex, "E_in": p.E_in}
    exc, inh = (nest.Create(model, n, params=neuron | own) for n in (p.N_E, p.N_I))
    draw = nest.random
    for nodes in (exc, inh):
        if cuba:
            nodes.V_m = draw.uniform(p.V_reset, p.V_th)
        else:
            nodes.V_m = draw.normal(p.E_L - 5.0, 5.0)
            nodes.g_ex = nest.math.redraw(draw.normal(4.0 * leak, 1.5 * leak), min=0.0, max=1e9)
            nodes.g_in = nest.math.redraw(draw.normal(20.0 * leak, 12.0 * leak), min=0.0, max=1e9)
    unit = leak if cuba else 1.0
    for source, weight in ((exc, p.w_ex * unit), (inh, -p.w_in * unit)):
        rule = {"rule": "pairwise_bernoulli", "p": p.p}
        nest.Connect(source, exc + inh, rule, {"weight": weight, "delay": p.delay})
with_nest.run(job, {"excitatory": exc, "inhibitory": inh}, lead=p.delay)
