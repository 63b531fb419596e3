"""How a graph's arrays lie: order of their axes, and the sizes that it takes. Knows no files and no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from voxloop.errors import ModelError
from voxloop.geometry import Shape

#: of blocks in voxloop: batch, channel, z, y, x
AXES = "bczyx"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLayout:
    """``input`` and ``output``: axes in the graph's order, as ``byxc``; what is missing is one long.

    ``least`` and ``step``: blocks are ``least + n * step`` voxels large, zyx.
    """

    input: str
    output: str
    least: Shape = (1, 1, 1)
    step: Shape = (1, 1, 1)

    @classmethod
    def plain(cls, dimensions: int) -> PackageLayout:
        """As torch has it."""
        axes = "bczyx" if dimensions == 3 else "bcyx"
        return cls(input=axes, output=axes)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PackageLayout:
        values: dict[str, Any] = {k: tuple(value) if isinstance(value, list) else value for k, value in data.items()}
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @property
    def alone(self) -> bool:
        """There is no axis for a batch."""
        return "b" not in self.input

    def grown(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (n, c, z, y, x) of the next larger size that is taken, mirrored at the far sides."""
        more = [
            max(0, least - n) if n <= least else -(n - least) % step
            for n, least, step in zip(pixels.shape[2:], self.least, self.step, strict=True)
        ]
        if not any(more):
            return pixels
        return np.pad(pixels, [(0, 0), (0, 0), *((0, by) for by in more)], mode="reflect")

    def given(self, pixels: np.ndarray) -> np.ndarray:
        """(n, c, z, y, x) as the graph takes it."""
        missing = "".join(axis for axis in AXES if axis not in self.input)
        moved = pixels.transpose([AXES.index(axis) for axis in self.input + missing])
        return np.ascontiguousarray(moved.reshape(moved.shape[: len(self.input)]))

    def taken(self, out: np.ndarray) -> np.ndarray:
        """What the graph gives as (n, c, z, y, x). Raises ModelError where it has other axes than it said."""
        if out.ndim != len(self.output):
            raise ModelError(f"this network gives an array of shape {out.shape} where axes {self.output} were expected")
        missing = "".join(axis for axis in AXES if axis not in self.output)
        full = self.output + missing
        return out.reshape(*out.shape, *(1 for _ in missing)).transpose([full.index(axis) for axis in AXES])
