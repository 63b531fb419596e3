"""What a model's output channels mean as labels, probabilities and uncertainty. Arrays in, arrays out; no files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.model import ClassInfo, ModelSpec

Measure = Literal["margin", "entropy"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """One block as it is kept. ``broken`` counts voxels whose output was not finite: label 0, uncertainty 255."""

    labels: np.ndarray  # (z, y, x)
    probabilities: np.ndarray | None  # (class, z, y, x) uint8, 255 = certain
    uncertainty: np.ndarray | None  # (z, y, x) uint8, 255 = no idea
    broken: int = 0

    def cut(self, box: Box) -> Decoded:
        """A part of it; of class labels, for what is broken is told by its label 0."""
        labels = self.labels[box.slices]
        probabilities = None if self.probabilities is None else self.probabilities[:, *box.slices]
        uncertainty = None if self.uncertainty is None else self.uncertainty[box.slices]
        broken = int(np.count_nonzero(labels == 0)) if self.broken else 0
        return Decoded(labels, probabilities, uncertainty, broken)


def learnt_objects(spec: ModelSpec) -> bool:
    """Whether the model says foreground of objects, and what tells them apart, instead of classes."""
    kinds = {output.kind for output in spec.outputs}
    return bool(kinds & {"boundary_distance", "flow"}) and "semantic" not in kinds


def channels_of_kind(spec: ModelSpec, kind: str) -> slice | None:
    """The channels of the first output of a kind; None where there is none."""
    start = 0
    for output in spec.outputs:
        if output.kind == kind:
            return slice(start, start + output.channels)
        start += output.channels
    return None


def semantic_channels(spec: ModelSpec) -> slice:
    """Which output channels are kept: of classes, or of foreground with boundary and depth, or with arrows.

    Raises PredictionError where the model has none.
    """
    for kind in ("semantic", "boundary_distance", "flow"):
        found, count = channels_of_kind(spec, kind), len(spec.classes)
        if found is None:
            continue
        if found.stop - found.start != count:
            name = next(output.name for output in spec.outputs if output.kind == kind)
            raise PredictionError(
                f"output {name!r} ({kind}) has {found.stop - found.start} channels for {count} classes"
            )
        return found
    kinds = ", ".join(output.kind for output in spec.outputs) or "nothing"
    raise PredictionError(
        f"this model gives {kinds}; only models with a semantic output, a boundary and distance, or a flow can be "
        f"predicted with"
    )


def within(decoded: Decoded, mask: np.ndarray) -> Decoded:
    """The same with nothing said where ``mask`` (z, y, x) is false: label, probabilities and uncertainty 0."""

    def cut(part: np.ndarray) -> np.ndarray:
        return np.where(mask, part, part.dtype.type(0))

    probabilities = None if decoded.probabilities is None else cut(decoded.probabilities)
    uncertainty = None if decoded.uncertainty is None else cut(decoded.uncertainty)
    return Decoded(cut(decoded.labels), probabilities, uncertainty, decoded.broken)


def label_dtype(classes: tuple[ClassInfo, ...]) -> np.dtype:
    """uint8 where it holds every class value, else uint16."""
    largest = max((info.value for info in classes), default=0)
    return np.dtype("u1") if largest < 256 else np.dtype("u2")


def quantise(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities 0..1 as uint8, rounded; within 1/510 of the truth. Of many classes one is in hand at a time."""
    out = np.empty(probabilities.shape, np.uint8)
    pairs = zip(probabilities, out, strict=True) if probabilities.ndim > 3 else [(probabilities, out)]
    for part, into in pairs:
        scaled: np.ndarray = np.multiply(part, np.float32(255))
        scaled += np.float32(0.5)
        into[...] = np.clip(scaled, 0, 255.5, out=scaled)
    return out


def semantic(
    probabilities: np.ndarray,
    values: np.ndarray,
    *,
    measure: Measure | None = "margin",
    keep: bool = True,
) -> Decoded:
    """Class probabilities (class, z, y, x) to labels, uint8 probabilities and uncertainty.

    Parameters
    ----------
    values
        Label value of each class, in the order of the channels; its dtype is that of the labels.
    measure
        ``margin``: 1 - (best - second best); ``entropy``: entropy over its maximum, log(classes); None: not kept.
    keep
        Whether probabilities are kept.
    """
    best, second, chosen = _two_best(probabilities)
    finite = np.isfinite(probabilities.sum(axis=0))
    broken = int(finite.size - np.count_nonzero(finite))
    if broken:
        probabilities = np.where(finite, probabilities, np.float32(0))
    labels = values[chosen]
    uncertainty = None
    if measure == "margin":
        margin = best - second
        if broken:
            margin = np.where(finite, margin, 0)
        uncertainty = quantise(1 - margin)
    elif measure == "entropy":
        uncertainty = quantise(_entropy(probabilities))
    if broken:
        labels[~finite] = 0
        if uncertainty is not None:
            uncertainty[~finite] = 255
    quantised = quantise(probabilities) if keep else None
    return Decoded(labels, quantised, uncertainty, broken)


def foreground(
    probabilities: np.ndarray, values: np.ndarray, *, measure: Measure | None = "margin", keep: bool = True
) -> Decoded:
    """Foreground and what goes with it (n, z, y, x): as :func:`semantic`, labels 1 from a foreground of one half.

    Which voxels are one object is decided over the whole volume (:func:`voxloop.objects.find_objects`).
    """
    inside = probabilities[0]
    pair = semantic(np.stack([1 - inside, inside]), np.array([0, values[0]], values.dtype), measure=measure, keep=False)
    finite = np.nan_to_num(probabilities, nan=0.0, posinf=0.0, neginf=0.0)
    quantised = quantise(finite) if keep else None
    return Decoded(pair.labels, quantised, pair.uncertainty, pair.broken)


def _two_best(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best and second best probability and the index of the best; a walk over classes, no sort, the first wins ties."""
    best = probabilities[0].copy()
    second = np.zeros_like(best)
    index_type = np.intp if len(probabilities) > 255 else np.uint8
    chosen = np.zeros(best.shape, index_type)
    for index in range(1, len(probabilities)):
        share = probabilities[index]
        higher = share > best
        np.maximum(second, np.minimum(best, share), out=second)
        np.copyto(best, share, where=higher)
        chosen[higher] = index
    return best, second, chosen


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    total = np.zeros(probabilities.shape[1:], np.float32)
    for share in probabilities:
        total -= share * np.log(np.maximum(share, np.float32(1e-9)))
    return total / np.float32(np.log(max(2, len(probabilities))))
