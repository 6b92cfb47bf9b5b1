"""What short-term plasticity is: how much of its weight a synapse releases depends on the spikes before.

    class TsodyksMarkram(ShortTermRule):
        U: float = 0.5
        ...
        state = {"x": 1.0, "u": "U"}

        @staticmethod
        def release(s, h, p):
            ...
            return (x, u), u * x

The weight itself stays as it is. All synapses that a neuron has in one projection release alike, so there is one state
for each presynaptic neuron, and what a spike releases is settled when it is fired, whatever the delays.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping
from typing import Any, ClassVar

from spikesim.parameters import Parameters


class ShortTermRule(Parameters):
    """Base of all short-term rules.

    state
        variable -> initial value, a number or the name of a parameter.
    release(s, h, p) -> (new values of the state, amplitude)
        at a spike, h ms after the one before; s is the state that that one left, p the parameters. The synapses add
        amplitude times their weight.
    first(s, p) -> (new values of the state, amplitude)
        at the first spike of a neuron.
    reference
        a DOI.
    """

    state: ClassVar[Mapping[str, float | str]] = {}
    reference: ClassVar[str] = ""
    release: ClassVar[Any] = None
    first: ClassVar[Any] = None
    State: ClassVar[Any]
    Params: ClassVar[Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Named by module and qualified name, so that compiled code that uses it is found again in the cache.
        for name, fields in (("State", tuple(cls.state)), ("Params", cls.parameters)):
            record: Any = namedtuple(name, fields, module=cls.__module__)  # type: ignore[misc]
            record.__qualname__ = f"{cls.__qualname__}.{name}"
            setattr(cls, name, record)

    def hook_params(self) -> Any:
        """The parameters as hooks see them."""
        return self.Params(**{name: float(value) for name, value in self.values().items()})

    def initial(self) -> Any:
        """The state of a synapse that has seen no spike."""
        return self.State(
            *(float(getattr(self, start) if isinstance(start, str) else start) for start in self.state.values())
        )
