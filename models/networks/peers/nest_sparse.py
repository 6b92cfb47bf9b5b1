"""`sparse` in NEST, with neurons that spike between steps and miss no crossing."""

import nest
import numpy as np
import with_nest
from peer import Job

job = Job()
p = job.p
with job.timed("build"):
    with_nest.start(job)
    neurons = nest.Create(
        "iaf_psc_exp_ps_lossless", p.N, params={"tau_syn_ex": 2.0, "tau_syn_in": 2.0, "V_m": -70.0, "I_e": 0.0}
    )
    rng = np.random.default_rng(job.seed)
    triggers = nest.Create("spike_generator", p.N)
    longest = job.time + p.dt
    trains = [np.unique(rng.integers(1, int(longest / p.dt), rng.poisson(longest * 1e-3 * p.rate))) * p.dt
              for _ in range(p.N)]  # fmt: skip
    triggers.set([{"spike_times": train.round(1)} for train in trains])
    nest.Connect(triggers, neurons, "one_to_one", {"weight": p.KICK, "delay": p.delay})
    cut, delays = 4 * p.N // 5, nest.random.uniform(0.5, 3.0)
    for nodes, k, weight in ((neurons[:cut], 4 * p.indegree // 5, p.J), (neurons[cut:], p.indegree // 5, -4.0 * p.J)):
        nest.Connect(nodes, neurons, {"rule": "fixed_indegree", "indegree": k}, {"weight": weight, "delay": delays})
with_nest.run(job, {"neurons": neurons}, lead=p.dt)
