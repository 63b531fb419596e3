"""A model of planes asked along other axes: the mean of what it says of every voxel's planes. Knows no learner."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import lcm
from typing import Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.model import Model, ModelSpec, device_memory, hasten

#: planes of so many voxels together go through the model at once
_AT_ONCE = 2**18


def axes_of(spec: ModelSpec, votes: str) -> str:
    """The axes across which a model is asked: ``"z"``, ``"y"``, ``"x"`` or ``"zyx"``; ``"auto"``: as it learnt.

    Raises PredictionError where a model that sees blocks is asked across others than z.
    """
    axes = spec.extra.get("axes", "z") if votes == "auto" else {"1": "z", "3": "zyx", "12": "zyx"}.get(votes, votes)
    if axes != "z" and spec.dimensions != 2:
        raise PredictionError(
            f"votes={votes} needs a model that looks at planes, and this one looks at blocks; use votes=1, or turns"
        )
    return str(axes)


def votes_of(spec: ModelSpec, votes: str) -> int:
    """How often each voxel is voted on: 1, 3 (planes across z, y and x) or 12 (each turned by quarters as well).

    Raises PredictionError as :func:`axes_of`.
    """
    return len(axes_of(spec, votes)) * (4 if votes == "12" else 1)


class Voted(Model):
    """The mean probabilities of a model that sees planes, over planes across z, y and x, or those across y or x.

    Parameters
    ----------
    asked
        ``"3"``; ``"12"``: each plane turned by quarters as well; ``"y"``, ``"x"``: planes across that axis alone.

    Raises
    ------
    PredictionError
        The model sees blocks, or its strides along y and x differ.
    """

    def __init__(self, model: Model, votes: str) -> None:
        spec = model.spec
        axes, count = axes_of(spec, votes), votes_of(spec, votes)
        if count == 12 and spec.stride[1] != spec.stride[2]:
            raise PredictionError("this model cannot see quarter turns: its strides along y and x differ; use votes=3")
        self.model, self.votes, self._axes = model, count, axes
        step = lcm(*spec.stride)
        halo = None if spec.halo is None else (max(spec.halo),) * 3
        spacing = spec.spacing_um
        if spacing is not None and "axes" not in spec.extra:  # it learnt across z: planes must look alike
            spacing = (spacing[1], *spacing[1:])
        self.spec = replace(
            spec,
            dimensions=3,
            stride=(step, step, step),
            halo=halo,
            spacing_um=spacing,
            hash=hashlib.sha256(f"{spec.hash} {count} {axes}".encode()).hexdigest(),
        )

    @contextmanager
    def open(self, device: str = "auto", precision: str = "float32", threads: int | None = None) -> Iterator[_Votes]:
        """The model on a device."""
        with self.model.open(device=device, precision=precision, threads=threads) as predictor:
            yield _Votes(predictor, self.model.spec, self._axes, 4 * len(self._axes) == self.votes)

    def __repr__(self) -> str:
        return f"<Voted: {self.votes} vote{'s' * (self.votes > 1)} across {self._axes} of {self.model!r}>"


class _Votes:
    def __init__(self, predictor: Any, spec: ModelSpec, axes: str, turned: bool) -> None:
        self._predictor = predictor
        self._axes = tuple("nczyx".index(axis) for axis in axes)
        near = int(spec.extra.get("slices", 1)) // 2
        self._near = near if spec.halo is None else max(near, spec.halo[0])
        self._quarters = range(4) if turned else range(1)
        self.device_memory = device_memory(predictor)

    def hasten(self, backend: str, sample: np.ndarray) -> str:
        return hasten(self._predictor, backend, sample)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        total: np.ndarray | None = None
        for axis in self._axes:
            planes = np.moveaxis(batch, axis, 2)
            for quarters in self._quarters:
                turned = np.ascontiguousarray(np.rot90(planes, quarters, (-2, -1)))
                output = np.moveaxis(np.rot90(self._predict_planes(turned), -quarters, (-2, -1)), 2, axis)
                total = np.array(output, np.float32) if total is None else np.add(total, output, out=total)
        assert total is not None
        total /= len(self._axes) * len(self._quarters)
        return total

    def _predict_planes(self, batch: np.ndarray) -> np.ndarray:
        """A few planes at a time, with those next to them: whole blocks would fill the memory."""
        depth, size = batch.shape[2], batch.shape[0] * batch.shape[3] * batch.shape[4]
        step = max(1, _AT_ONCE // size)
        parts = []
        for start in range(0, depth, step):
            stop = min(depth, start + step)
            low, high = max(0, start - self._near), min(depth, stop + self._near)
            parts.append(self._predictor(batch[:, :, low:high])[:, :, start - low : stop - low])
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
