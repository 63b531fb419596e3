"""Several models, each of which sees the picture turned in several ways, as one model: the mean of what they say.

Arrays in, arrays out; knows no learner and no files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import compress, product
from math import lcm, prod
from typing import Literal

import numpy as np

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError
from voxloop.geometry import Shape
from voxloop.model import Model, ModelSpec, Predictor, device_memory, hasten
from voxloop.prediction.decode import channels_of_kind
from voxloop.prediction.voted import Voted, axes_of, votes_of

Turns = Literal["auto", "none", "flips", "all"]
Forward = Callable[[np.ndarray], np.ndarray]

#: voxels of an image up to which arrows are asked of it mirrored as well where nobody says: a second or two of work
_SMALL = 2**20


@dataclass(frozen=True, slots=True)
class PictureTurn:
    """Mirrored along ``axes`` (of z, y, x: 0, 1, 2), after a quarter turn in the plane where ``quarter``."""

    axes: tuple[int, ...] = ()
    quarter: bool = False

    def there(self, batch: np.ndarray) -> np.ndarray:
        """A batch (n, c, z, y, x) turned."""
        turned = np.rot90(batch, axes=(-2, -1)) if self.quarter else batch
        return np.ascontiguousarray(np.flip(turned, tuple(axis + 2 for axis in self.axes)))

    def back(self, batch: np.ndarray) -> np.ndarray:
        """What :meth:`there` gave, turned back; a view."""
        turned = np.flip(batch, tuple(axis + 2 for axis in self.axes))
        return np.rot90(turned, -1, axes=(-2, -1)) if self.quarter else turned

    def point_back(self, batch: np.ndarray, first: int) -> np.ndarray:
        """A batch with its arrows, three channels zyx from ``first`` of 0 to 1 for -1 to 1, as the picture lay."""
        if not self.axes and not self.quarter:
            return batch
        z, y, x = (1 - batch[:, first + axis] if axis in self.axes else batch[:, first + axis] for axis in range(3))
        turned = np.array(batch)
        turned[:, first : first + 3] = np.stack([z, x, 1 - y] if self.quarter else [z, y, x], axis=1)
        return turned


def settle_turns(config: PredictConfig, spec: ModelSpec, shape: Shape) -> PredictConfig:
    """The settings with ``turns="auto"`` settled for an image of some shape; as they are where turns are named."""
    if config.turns != "auto":
        return config
    mirrored = _first_arrow(spec) is not None and spec.dimensions == 2 and prod(shape) <= _SMALL
    return config.changed(turns="flips" if mirrored else "none")


def turns_words(asked: PredictConfig, settled: PredictConfig) -> str:
    """What ``turns="auto"`` became, in one line; empty where that is nothing."""
    if asked.turns == settled.turns or settled.turns == "none":
        return ""
    return "the picture is looked at mirrored as well, for better objects at four times the work (turns='none': once)"


def turns(kind: Turns, dimensions: int) -> tuple[PictureTurn, ...]:
    """The ways in which a picture is turned; the first leaves it as it is."""
    mirrored = (1, 2) if dimensions == 2 else (0, 1, 2)
    if kind in ("none", "auto"):  # not settled is not turned
        return (PictureTurn(),)
    flips = [PictureTurn(tuple(compress(mirrored, which))) for which in product((False, True), repeat=len(mirrored))]
    if kind == "flips":
        return tuple(flips)
    return (*flips, *(replace(flip, quarter=True) for flip in flips))


def price(spec: ModelSpec, kind: Turns, models: int = 1, votes: str = "1") -> int:
    """How many times the model runs for each voxel."""
    dimensions = spec.dimensions if axes_of(spec, votes) == "z" else 3
    return models * votes_of(spec, votes) * len(turns(kind, dimensions))


class Averaged(Model):
    """The mean probabilities of several models, each asked about the picture turned in several ways.

    Parameters
    ----------
    models
        Of the same channels, classes and kinds of output; whichever learners they come from.
    kind
        ``"flips"``: mirrored along every axis the models look along; ``"all"``: quarter turns in the plane as well.

    Raises
    ------
    PredictionError
        The models do not fit each other.
    """

    def __init__(self, models: Sequence[Model], kind: Turns = "none") -> None:
        if not models:
            raise PredictionError("an ensemble needs one model at least")
        self.models, self.kind = tuple(models), kind
        self.spec = _merge_specs([model.spec for model in models])
        if kind == "all" and self.spec.stride[1] != self.spec.stride[2]:
            raise PredictionError("this model cannot see quarter turns: its strides along y and x differ; use 'flips'")

    @contextmanager
    def open(self, device: str = "auto", precision: str = "float32", threads: int | None = None) -> Iterator[Forward]:
        """All models on the device at once."""
        with ExitStack() as stack:
            opened = [
                stack.enter_context(model.open(device=device, precision=precision, threads=threads))
                for model in self.models
            ]
            yield self.over(opened)

    def over(self, opened: Sequence[Predictor]) -> Predictor:
        """What :meth:`open` gives, over the models opened already."""
        picture_turns = turns(self.kind, self.spec.dimensions)
        if len(opened) * len(picture_turns) == 1:
            return opened[0]
        return _Mean(opened, picture_turns, _first_arrow(self.spec))

    def __repr__(self) -> str:
        return f"<Averaged: {len(self.models)} models, turns {self.kind!r}>"


class _Mean:
    def __init__(
        self, predictors: Sequence[Forward], picture_turns: Sequence[PictureTurn], first_arrow: int | None = None
    ) -> None:
        self._predictors, self._turns, self._first_arrow = predictors, picture_turns, first_arrow
        self.device_memory = device_memory(predictors[0])  # all share one device

    def hasten(self, backend: str, sample: np.ndarray) -> str:
        """Each of them where it can be; in the words of the first."""
        words = [hasten(predictor, backend, sample) for predictor in self._predictors]
        return next(filter(None, words), "")

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        total: np.ndarray | None = None
        for turn in self._turns:
            turned = turn.there(batch)
            for predictor in self._predictors:
                output = turn.back(predictor(turned))
                if self._first_arrow is not None:
                    output = turn.point_back(output, self._first_arrow)
                if total is None:
                    total = np.array(output, np.float32)
                else:
                    total += output
        assert total is not None
        total /= len(self._turns) * len(self._predictors)
        return total


def combine_models(models: Sequence[Model], kind: Turns = "none", votes: str = "1") -> Model:
    """One model, as it is, or :class:`Averaged`; each :class:`~voxloop.prediction.voted.Voted` where asked for."""
    other = [axes_of(model.spec, votes) != "z" for model in models]
    if any(other) and any(o.kind == "flow" for model in models for o in model.spec.outputs):
        raise PredictionError(
            "the arrows of this model point along the planes that it learnt, and it cannot be asked across others; "
            "use votes=1, or turns"
        )
    models = [Voted(model, votes) if elsewhere else model for model, elsewhere in zip(models, other, strict=True)]
    return models[0] if len(models) == 1 and kind in ("none", "auto") else Averaged(models, kind)


def _first_arrow(spec: ModelSpec) -> int | None:
    """The channel that holds arrows along z, those along y and x follow; None where there are none."""
    flow = channels_of_kind(spec, "flow")
    return None if flow is None else flow.start + 1


def _merge_specs(specs: Sequence[ModelSpec]) -> ModelSpec:
    """What several models need together. Raises PredictionError where they do not say the same things."""
    first = specs[0]
    for other in specs[1:]:
        for what, expected, other_value in (
            ("channels", first.channels, other.channels),
            ("classes", [c.name for c in first.classes], [c.name for c in other.classes]),
            ("class values", [c.value for c in first.classes], [c.value for c in other.classes]),
            ("exposure", first.normalisation.get("exposure"), other.normalisation.get("exposure")),
            ("outputs", [(o.kind, o.channels) for o in first.outputs], [(o.kind, o.channels) for o in other.outputs]),
        ):
            if expected != other_value:
                raise PredictionError(
                    f"models of an ensemble must have the same {what}: {expected} and {other_value} differ"
                )
    if len(specs) == 1:
        return first
    halos = [spec.halo for spec in specs]
    digest = hashlib.sha256("".join(spec.hash for spec in specs).encode()).hexdigest()
    halo = None if any(halo is None for halo in halos) else _each(max, [halo for halo in halos if halo is not None])
    return replace(
        first,
        stride=_each(lcm, [spec.stride for spec in specs]),
        halo=halo,
        hash=digest,
        dimensions=max(spec.dimensions for spec in specs),
    )


def _each(function: Callable[..., int], shapes: Sequence[Shape]) -> Shape:
    z, y, x = (function(*parts) if len(parts) > 1 else parts[0] for parts in zip(*shapes, strict=True))
    return z, y, x
