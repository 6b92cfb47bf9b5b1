"""`song_2000` in Brian 2, as in its example `synapses/STDP.py`."""

import with_brian2
from brian2 import Hz, NeuronGroup, PoissonGroup, Synapses, ms, mV
from peer import Job

NEURON = """dv/dt = (ge * (E_ex - v) + E_L - v) / tau_m : volt
            dge/dt = -ge / tau_ex : 1"""
LEARNS = {
    "model": """w : 1
                dx/dt = -x / tau_plus : 1 (event-driven)
                dy/dt = -y / tau_minus : 1 (event-driven)""",
    "on_pre": """ge_post += w
                 x += a_plus * g_max
                 w = clip(w - y, 0, g_max)""",
    "on_post": """y += a_minus * g_max
                  w = clip(w + x, 0, g_max)""",
}

job = Job()
p = job.p
with job.timed("build"):
    with_brian2.start(job)
    names = {name: getattr(p, name) * mV for name in ("E_L", "V_th", "V_reset", "E_ex")}
    names |= {name: getattr(p, name) * ms for name in ("tau_m", "tau_ex", "tau_plus", "tau_minus")}
    names |= {name: getattr(p, name) for name in ("a_plus", "a_minus", "g_max")}
    inputs = PoissonGroup(p.N, rates=p.rate * Hz)
    cell = NeuronGroup(1, NEURON, method="euler", threshold="v > V_th", reset="v = V_reset", namespace=names)
    cell.v = p.E_L * mV
    synapses = Synapses(inputs, cell, **LEARNS, namespace=names)
    synapses.connect()
    synapses.w = "rand() * g_max"
with_brian2.run(job, [inputs, cell, synapses], {"neuron": cell})
