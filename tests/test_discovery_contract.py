"""What every network, and everything that is found by its folder, keeps to; nothing is named."""

import re

import pytest

from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel
from spikesim.network import Network
from spikesim.registry import FOLDERS, discover, find

NETWORKS = discover("network")
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
UNIT = re.compile(r"\b(ms|mV|pA|nS|pF|Hz)\b")


@every_network
def test_says_what_it_is_and_where_it_is_from(network):
    assert issubclass(network, NetworkModel)
    assert network.title
    assert re.fullmatch(r"doi:10\.\d{4,}/\S+", network.reference)
    assert UNIT.search(network.__doc__), "the docstring states its units"
    assert NETWORKS[network.name()] is network


@every_network
def test_defaults_and_presets_are_valid(network):
    assert network().dt > 0
    for preset in network.presets:
        assert network(preset=preset).preset == preset


@every_network
def test_builds_the_same_from_the_same_seed(network):
    if not network.small:
        pytest.skip("offers no small version")
    nets = []
    for _ in range(2):
        model = network(**network.small)
        nets.append(Network(dt=model.dt, seed=5))
        model.build(nets[-1])
    for one, other in zip(nets[0].projections, nets[1].projections, strict=True):
        assert (one.weights == other.weights).all()
        assert (one.sources == other.sources).all()
        assert (one.delays == other.delays).all()


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_misspelt_name_is_refused_with_the_nearest(kind):
    name = next(iter(discover(kind)))
    with pytest.raises(SpikesimError, match=re.escape(repr(name))):
        find(kind, name[:-1] + "x" + name[-1])


@pytest.mark.parametrize("kind", FOLDERS)
def test_everything_has_a_description_and_parameters_with_defaults(kind):
    for name, cls in discover(kind).items():
        assert cls.__doc__, name
        assert cls.__doc__ is not cls.__mro__[1].__doc__, name
        assert all(hasattr(cls, parameter) for parameter in cls.parameters), name
