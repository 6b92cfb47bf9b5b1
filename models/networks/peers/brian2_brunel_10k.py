"""`brunel_10k` in Brian 2, with traces kept by each synapse, as its users write a rule."""

import numpy as np
import with_brian2
from brian2 import NeuronGroup, Synapses, ms, mV
from peer import Job

PAIR = {
    "model": """w : volt
                dx/dt = -x / (20*ms) : 1 (event-driven)
                dy/dt = -y / (20*ms) : 1 (event-driven)""",
    "on_pre": """v_post += w
                 x += 1
                 w = clip(w - 1.05 * a * y, 0*mV, w_max)""",
    "on_post": """y += 1
                  w = clip(w + a * x, 0*mV, w_max)""",
}
TRIPLET = {
    "model": """w : volt
                dr1/dt = -r1 / (16.8*ms) : 1 (event-driven)
                do1/dt = -o1 / (33.7*ms) : 1 (event-driven)
                do2/dt = -o2 / (114*ms) : 1 (event-driven)""",
    "on_pre": """v_post += w
                 r1 += 1
                 w = clip(w - 7.1e-3 * a * o1, 0*mV, w_max)""",
    "on_post": """w = clip(w + 6.5e-3 * a * r1 * o2, 0*mV, w_max)
                  o1 += 1
                  o2 += 1""",
}
STATIC = {"model": "w : volt", "on_pre": "v_post += w"}

job = Job()
p = job.p
with job.timed("build"):
    with_brian2.start(job)
    rng = np.random.default_rng(job.seed)
    names = {
        "drive": p.drive * mV, "tau": p.tau_m * ms, "theta": p.theta * mV, "V_reset": p.V_reset * mV,
        "w_max": 2 * p.J * mV, "a": p.learning_rate * 2 * p.J * mV,
    }  # fmt: skip
    neurons = NeuronGroup(
        p.N_E + p.N_I, "dv/dt = (drive - v) / tau : volt (unless refractory)", method="exact",
        threshold="v >= theta", reset="v = V_reset", refractory=p.t_ref * ms, namespace=names,
    )  # fmt: skip
    neurons.v = "rand() * theta"
    exc, inh = neurons[: p.N_E], neurons[p.N_E :]

    def connect(source, target, k, weight, kind):
        synapses = Synapses(source, target, **kind, delay=p.delay * ms, namespace=names)
        i, j = with_brian2.random_sources(rng, len(source), len(target), k)
        synapses.connect(i=i, j=j)
        synapses.w = weight * mV
        return synapses

    kind = {"static": STATIC, "pair": PAIR, "triplet": TRIPLET}[p.plasticity]
    among_exc = connect(exc, exc, p.C_E, p.J, kind)
    others = [connect(exc, inh, p.C_E, p.J, STATIC), connect(inh, neurons, p.C_I, -p.g * p.J, STATIC)]
with_brian2.run(job, [neurons, among_exc, *others], {"excitatory": exc, "inhibitory": inh})
