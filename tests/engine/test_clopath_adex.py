"""Clopath's neuron: the two ms of its spike, what it leaves behind, and the authors' steps written out."""

import math

import numpy as np
import pytest

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.neurons.clopath_adex import ClopathAdEx
from spikesim.models.neurons.spike_source import SpikeSource


def driven(dt, duration, variables, **parameters):
    """States (steps, variables) after each step; a kick of 200 mV reaches the neuron so that it fires at 5 ms."""
    with ss.Network(dt=dt, seed=1) as net:
        kick = net.add(SpikeSource(times=[5.0 - dt], ids=[0]), 1)
        neuron = net.add(ClopathAdEx(**parameters), 1)
        net.connect(kick, neuron, ss.OneToOne(), weight=200.0, delay=dt)
        spikes = net.record(neuron, "spikes")
        states = [net.record(neuron, v) for v in variables]
        net.run(duration)
        return spikes.times, np.column_stack([s.values[:, 0] for s in states])


@pytest.mark.parametrize("dt", [0.05, 0.1, 1.0])
def test_a_spike_takes_two_ms_in_two_halves(dt):
    times, states = driven(dt, 12.0, ["V_m"])
    V_m, fired = states[:, 0], round(5.0 / dt) - 1
    assert times == pytest.approx([5.0])
    half = round(1.0 / dt)
    assert (V_m[fired : fired + half] == 29.4).all()
    assert (V_m[fired + half : fired + 2 * half] == 32.862).all()
    assert V_m[fired + 2 * half] < -45.0
    assert V_m[fired - 1] == pytest.approx(-70.6, abs=0.01)


def test_what_a_spike_leaves_behind():
    dt = 0.1
    _, states = driven(dt, 60.0, ["w", "z", "V_T", "V_m"], b=80.5)
    w, z, V_T, V_m = states.T
    after = round(7.0 / dt) - 1  # the first step after the spike
    steps = np.arange(1, len(z) - after + 1)
    assert z[after:] == pytest.approx(400.0 * np.exp(-steps * dt / 40.0), rel=1e-12)
    assert V_T[after:] == pytest.approx(-50.4 + 20.0 * np.exp(-steps * dt / 50.0), rel=1e-12)
    assert w[after] == pytest.approx(80.5, abs=0.2)
    assert V_m[after + round(20.0 / dt)] > -65.0  # the after-potential


def test_steps_of_the_published_program():
    """Euler at 1 ms, as the equations stand; the spike as a plateau of two values."""
    C, g_L, E_L, Delta_T, tau_w, a, b = 281.0, 30.0, -70.6, 2.0, 144.0, 4.0, 0.0805
    u, w, z, V_T, countdown, expected = E_L, 0.0, 0.0, -50.4, 0, []
    for step in range(40):
        if countdown == 1:
            u, w, z, V_T = -49.5016, w + b, 400.0, -30.4
        if countdown == 2:
            u, countdown = 32.862, 1
        else:
            countdown = 0
            du = (-g_L * (u - E_L) + g_L * Delta_T * math.exp((u - V_T) / Delta_T) - w + z) / C
            w += (a * (u - E_L) - w) / tau_w
            u, z, V_T = u + du, z - z / 40.0, V_T + (-50.4 - V_T) / 50.0
            if step == 4:
                u, countdown = 29.4, 2
        expected.append((u, w))
    _, states = driven(1.0, 40.0, ["V_m", "w"], integrator="euler")
    np.testing.assert_allclose(states, expected, rtol=1e-12, atol=1e-12)


def test_fires_by_itself_on_a_strong_current():
    with ss.Network(dt=0.1, seed=1) as net:
        neurons = net.add(ClopathAdEx(I_e=[300.0, 900.0]), 2)
        spikes = net.record(neurons, "spikes")
        V_m = net.record(neurons, "V_m")
        net.run(300.0)
        assert set(spikes.ids) == {1}
        assert len(spikes) > 5
        assert np.isfinite(V_m.values).all()


def test_first_order_in_dt():
    """Against a hundredfold finer grid, the error of the potential below threshold halves with the step."""

    def V_m(dt):
        with ss.Network(dt=dt, seed=1) as net:
            neuron = net.add(ClopathAdEx(I_e=500.0), 1)
            net.run(15.0)
            return neuron.get("V_m")[0]

    exact = V_m(0.001)
    errors = [V_m(dt) - exact for dt in (0.1, 0.05)]
    assert abs(errors[0]) < 0.05
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.1)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"V_reset": 30.0}, "V_reset must be below V_peak"),
        ({"Delta_T": 0.5}, "80 Delta_T"),
        ({"t_spike": 0.0}, "t_spike"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters, why):
    with pytest.raises(SpikesimError, match=why):
        ss.Network(dt=0.1, seed=1).add(ClopathAdEx(**parameters), 1)
