"""`vogels_2011` in Brian 2, with the delay of one step that the authors' program does without."""

import with_brian2
from brian2 import NeuronGroup, Synapses, ms, mV, nS, pA, pF
from peer import Job

NEURON = """dv/dt = (g_L * (E_L - v) + ge * (E_ex - v) + gi * (E_in - v) + I_e) / C_m : volt (unless refractory)
            dge/dt = -ge / tau_ex : siemens
            dgi/dt = -gi / tau_in : siemens"""
LEARNS = {
    "model": """w : siemens
                dx/dt = -x / tau : 1 (event-driven)
                dy/dt = -y / tau : 1 (event-driven)""",
    "on_pre": """x += 1
                 w = clip(w + int(t >= learn_from) * eta * (y - alpha), 0*nS, w_max)
                 gi_post += w""",
    "on_post": """y += 1
                  w = clip(w + int(t >= learn_from) * eta * x, 0*nS, w_max)""",
}

job = Job()
p = job.p
with job.timed("build"):
    with_brian2.start(job)
    names = {name: getattr(p, name) * mV for name in ("E_L", "V_th", "E_ex", "E_in")}
    names |= {name: getattr(p, name) * ms for name in ("tau_ex", "tau_in", "tau", "learn_from")}
    names |= {name: getattr(p, name) * nS for name in ("g_L", "w_ex", "w_in", "w_max", "eta")}
    names |= {"C_m": p.C_m * pF, "I_e": p.I_e * pA, "alpha": 2 * p.rho_0 * 1e-3 * p.tau}
    neurons = NeuronGroup(
        p.N_E + p.N_I, NEURON, method="exponential_euler", threshold="v >= V_th", reset="v = E_L",
        refractory=p.t_ref * ms, namespace=names,
    )  # fmt: skip
    neurons.v = p.E_L * mV
    exc, inh = neurons[: p.N_E], neurons[p.N_E :]
    synapses = [
        Synapses(exc, neurons, on_pre="ge += w_ex", namespace=names, delay=p.dt * ms),
        Synapses(inh, inh, on_pre="gi += w_in", namespace=names, delay=p.dt * ms),
        Synapses(inh, exc, **LEARNS, namespace=names, delay=p.dt * ms),
    ]
    for each in synapses:
        each.connect(p=p.p)
    synapses[-1].w = p.w_start * nS
with_brian2.run(job, [neurons, *synapses], {"excitatory": exc, "inhibitory": inh})
