"""Published parameter sets: those that are the defaults, too, are just these."""

import pytest

from spikesim.registry import discover

#: Rule, and the preset that its description says to be the defaults.
DEFAULTS = [
    ("BCMRule", "visual_cortex"),
    ("ClopathSTDP", "visual_cortex"),
    ("Convallis", "hippocampal_culture"),
    ("DopamineSTDP", "nest"),
    ("GraupnerBrunel", "dp"),
    ("GuetigSTDP", "guetig_2003"),
    ("PairSTDP", "song_2000"),
    ("PlateauRule", "guerguiev_2017"),
    ("VogelsISTDP", "recurrent_network"),
    ("Zenke2013", "auryn"),
    ("Zenke2015", "zenke_2015"),
]


@pytest.mark.parametrize(("name", "preset"), DEFAULTS)
def test_defaults_are_the_preset_that_the_description_says(name, preset):
    rule = discover("rule")[name]
    assert f"`{preset}`" in rule.__doc__
    assert rule(preset=preset).values() == rule().values()
