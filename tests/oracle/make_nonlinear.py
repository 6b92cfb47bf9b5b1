"""Records data/nonlinear_neurons.h5; run it where nest-simulator is installed: python make_nonlinear.py

Each group is one neuron: attributes are its parameters by NEST's names, `V_m` its potential at every step from dt on,
`spikes` its spike times (ms), `input` the times at which a generator emits spikes of `weight`, 1 ms away.
"""

from pathlib import Path

import h5py
import nest
import numpy as np

DT, DURATION = 0.1, 200.0
TRAIN = np.array([5.0, 20.0, 21.0, 22.5, 23.0, 24.0, 60.0, 60.5, 61.0, 90.0, 92.0, 94.0, 95.0, 96.0, 130.0, 131.0])
CASES = {
    "adex_dc": ("aeif_cond_exp", {"I_e": 800.0}, 0.0),
    "adex_dc_refractory": ("aeif_cond_exp", {"I_e": 800.0, "t_ref": 2.0}, 0.0),
    "adex_bursts": ("aeif_cond_exp", {"I_e": 700.0, "V_reset": -47.0, "tau_w": 60.0, "b": 60.0}, 0.0),
    "adex_psp": ("aeif_cond_exp", {"tau_syn_ex": 2.0}, 40.0),
    "adex_ipsp": ("aeif_cond_exp", {"I_e": 600.0}, -20.0),
    "izhikevich_dc": ("izhikevich", {"I_e": 10.0}, 0.0),
    "izhikevich_psp": ("izhikevich", {"I_e": 3.0, "a": 0.1, "d": 2.0}, 9.0),
    "izhikevich_published": ("izhikevich", {"I_e": 3.0, "consistent_integration": False}, 60.0),
    "izhikevich_floor": ("izhikevich", {"I_e": 10.0, "V_min": -70.0}, -20.0),
    "hh_dc": ("hh_cond_exp_traub", {"I_e": 500.0}, 0.0),
    "hh_psp": ("hh_cond_exp_traub", {}, 20.0),
    "hh_ipsp": ("hh_cond_exp_traub", {"I_e": 300.0}, -20.0),
}


def record(model, parameters, weight):
    """(V_m, spike times) of one neuron"""
    nest.ResetKernel()
    nest.resolution = DT
    cell = nest.Create(model, params=parameters)
    source = nest.Create("spike_generator", params={"spike_times": TRAIN})
    meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": DT})
    spikes = nest.Create("spike_recorder")
    if weight:
        nest.Connect(source, cell, syn_spec={"weight": weight, "delay": 1.0})
    nest.Connect(meter, cell)
    nest.Connect(cell, spikes)
    nest.Simulate(DURATION)
    return np.asarray(meter.events["V_m"]), np.asarray(spikes.events["times"])


with h5py.File(Path(__file__).parent / "data" / "nonlinear_neurons.h5", "w") as file:
    file.attrs["doc"] = (
        f"Single neurons by NEST {nest.__version__}, gsl_error_tol 1e-6 where the model has it; attributes of a group: "
        f"parameters that differ from NEST's defaults. dt = {DT} ms, {DURATION:g} ms, weights in nS or mV, delay 1 ms."
    )
    file.attrs["dt_ms"], file.attrs["T_ms"] = DT, DURATION
    gates = nest.GetDefaults("hh_cond_exp_traub")
    for name, (model, parameters, weight) in CASES.items():
        if model.startswith("hh"):
            parameters = {**parameters, **{gate: gates[gate] for gate in ("Act_m", "Inact_h", "Act_n")}}
        potential, spikes = record(model, parameters, weight)
        group = file.create_group(name)
        group.attrs.update(parameters)
        group["model"], group["weight"], group["input"] = model, weight, TRAIN if weight else TRAIN[:0]
        group.create_dataset("V_m", data=potential, compression="gzip", shuffle=True)
        group["spikes"] = spikes
        print(name, len(potential), len(spikes), spikes[:5], potential.min(), potential.max())
