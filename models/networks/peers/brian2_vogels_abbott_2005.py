"""`vogels_abbott_2005` in Brian 2. A delay of one step is left out: spikes then reach the next step, as with one."""

import with_brian2
from brian2 import NeuronGroup, Synapses, ms, mV, nS, pA, pF
from peer import Job

CUBA = """dv/dt = (ge + gi - (v - E_L) + I_e / leak) / tau_m : volt (unless refractory)
          dge/dt = -ge / tau_ex : volt
          dgi/dt = -gi / tau_in : volt"""
COBA = """dv/dt = (leak * (E_L - v) + ge * (E_ex - v) + gi * (E_in - v) + I_e) / C_m : volt (unless refractory)
          dge/dt = -ge / tau_ex : siemens
          dgi/dt = -gi / tau_in : siemens"""

job = Job()
p = job.p
with job.timed("build"):
    with_brian2.start(job)
    names = {name: getattr(p, name) * mV for name in ("E_L", "V_th", "V_reset", "E_ex", "E_in")}
    names |= {name: getattr(p, name) * ms for name in ("tau_m", "tau_ex", "tau_in")}
    names |= {"C_m": p.C_m * pF, "leak": p.C_m / p.tau_m * nS, "I_e": p.I_e * pA}
    cuba = p.synapses == "cuba"
    neurons = NeuronGroup(
        p.N_E + p.N_I, CUBA if cuba else COBA, method="exact" if cuba else "exponential_euler",
        threshold="v >= V_th", reset="v = V_reset", refractory=p.t_ref * ms, namespace=names,
    )  # fmt: skip
    if cuba:
        neurons.v = "V_reset + rand() * (V_th - V_reset)"
    else:
        neurons.v = "E_L + (randn() - 1) * 5*mV"
        neurons.ge = "clip((4 + 1.5 * randn()) * leak, 0*nS, inf*nS)"
        neurons.gi = "clip((20 + 12 * randn()) * leak, 0*nS, inf*nS)"
    exc, inh = neurons[: p.N_E], neurons[p.N_E :]
    unit = mV if cuba else nS
    delay = {"delay": p.delay * ms} if p.delay > 1.5 * p.dt else {}
    among = {"w_ex": p.w_ex * unit, "w_in": -p.w_in * unit if cuba else p.w_in * unit}
    synapses = [
        Synapses(exc, neurons, on_pre="ge += w_ex", namespace=among, **delay),
        Synapses(inh, neurons, on_pre="gi += w_in", namespace=among, **delay),
    ]
    for each in synapses:
        each.connect(p=p.p)
with_brian2.run(job, [neurons, *synapses], {"excitatory": exc, "inhibitory": inh})
