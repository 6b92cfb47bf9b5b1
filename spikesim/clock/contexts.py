"""How an operation finds its data: a context, that is a row of integers, most of them addresses of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

LENGTH = 64  # integers in a context; `lowlevel.context` reads that many


class Context:
    """A context record filled from the host's side; keeps the arrays alive that it points to.

    Raises TypeError when a field of the record is missing or one too many is given, as a call would.
    """

    def __init__(self, record: Any, **fields: Any) -> None:
        self.record = record
        values = record(**fields)
        self.alive = [value for value in values if isinstance(value, np.ndarray)]
        self.words = np.zeros(LENGTH, dtype=np.int64)
        for place, value in enumerate(values):
            self.words[place] = value.ctypes.data if isinstance(value, np.ndarray) else int(value)

    @property
    def address(self) -> int:
        return int(self.words.ctypes.data)

    def set(self, **fields: int) -> None:
        """Change some integers of the context; takes effect at the next call of the operation."""
        for name, value in fields.items():
            self.words[self.record._fields.index(name)] = value
