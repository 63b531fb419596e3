"""The network beside the pixel classifier it learned from, on the strokes that neither has seen. Writes nothing.

A stroke is one witness, however many voxels it has: what is counted is which share of it a model calls what. Classes
weigh what they fill of the windows around held-out strokes, by both models, so that a rare class is judged as rare.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from voxloop.deep.begin.material import Material
from voxloop.deep.data.windows import Place, TrainingImage, validation_places, validation_window, window_box
from voxloop.deep.networks.device import autocast
from voxloop.deep.training.classifier import ask
from voxloop.model import ClassInfo, Model, Predictor

#: windows that are looked at, at most: of a test, and of a validation
_TEST, _VALIDATION = 96, 32
#: strokes below which nothing is said: in all, and of each class
FEWEST, FEWEST_OF_CLASS = 6, 2
#: a connected piece of labels is a stroke where it is smaller than this; of larger ones each square of this side is one
_SIDE = 32
_DRAWS = 1000
#: how sure one must be that the network is better, and in which share of cases the true value lies within an interval
_SURE, _LEVEL = 0.9, 0.9


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutStrokes:
    """Held-out strokes, and what both models call them.

    Attributes
    ----------
    truth : (n,) position of the class painted.
    voxels : (n,)
    network, classifier : (n, classes) shares of each stroke.
    prevalence : (classes,) how much of the windows they fill.
    on : ``"test"`` or ``"validation"``.
    windows : how many were looked at.
    """

    truth: np.ndarray
    voxels: np.ndarray
    network: np.ndarray
    classifier: np.ndarray
    prevalence: np.ndarray
    on: Literal["test", "validation"]
    windows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Both scores as :class:`voxloop.runs.outcome.Outcome` holds them, None where there are too few strokes."""

    network: dict[str, Any] | None = None
    classifier: dict[str, Any] | None = None
    gain: dict[str, float] | None = None
    better: bool = False


def predict_held_out(network: nn.Module, classifier: Model, material: Material) -> HeldOutStrokes:
    """Ask both models about what is held out.

    Parameters
    ----------
    network
        In evaluation mode, on the device.
    classifier
        One that has not learned what is held out.
    """
    data, geometry = material.data, material.geometry
    tested = any(image.split.test for image in data.images)
    images = [_judged_by_test(image) for image in data.images] if tested else list(data.images)
    places = validation_places(images, geometry, _TEST if tested else _VALIDATION, material.config.seed)
    count = len(data.classes)
    seen: set[tuple[int, int]] = set()
    rows: list[tuple[int, int, np.ndarray, np.ndarray]] = []
    filled = np.zeros(count)
    with classifier.open() as predictor, torch.inference_mode():
        for place in places:
            raw, marked = validation_window(images, place, geometry)
            by_network = _network_says(network, material, raw, marked.shape)
            by_classifier = _classifier_says(predictor, classifier, images[place.image], place, material)
            for answer in (by_network, by_classifier):
                filled += np.bincount(answer.ravel(), minlength=count)[:count]
            fresh = _not_seen(seen, images[place.image], place, material, marked)
            for truth, inside in strokes(np.where(fresh, marked, 0)):
                shares = [
                    np.bincount(answer[inside], minlength=count)[:count] / np.count_nonzero(inside)
                    for answer in (by_network, by_classifier)
                ]
                rows.append((truth, int(np.count_nonzero(inside)), shares[0], shares[1]))
    return HeldOutStrokes(
        truth=np.array([row[0] for row in rows], int),
        voxels=np.array([row[1] for row in rows], int),
        network=np.array([row[2] for row in rows]).reshape(-1, count),
        classifier=np.array([row[3] for row in rows]).reshape(-1, count),
        prevalence=filled / max(1.0, filled.sum()),
        on="test" if tested else "validation",
        windows=len(places),
    )


def compare(held_out: HeldOutStrokes, classes: Sequence[ClassInfo], seed: int = 0) -> Judgement:
    """Scores of both models, and whether the network is better beyond doubt; pure.

    Strokes of each class are drawn again and again, the same for both models, so that a hard stroke counts against
    both. Few strokes make the bootstrap too narrow by the root of (n - 1) / n and know no t distribution (Hesterberg
    2015, "What teachers should know about the bootstrap"); both are mended.
    """
    counts = np.bincount(held_out.truth, minlength=len(classes))
    foreground = [i for i, info in enumerate(classes) if not info.background] or list(range(len(classes)))
    judged = [i for i in foreground if counts[i] >= FEWEST_OF_CLASS]
    present = counts[counts > 0]
    if counts.sum() < FEWEST or not judged or len(present) < 2:
        return Judgement()
    rng = np.random.default_rng((seed, 5))
    often = np.zeros((_DRAWS + 1, len(held_out.truth)))
    often[0] = 1
    for position in np.flatnonzero(counts):
        own = np.flatnonzero(held_out.truth == position)
        often[1:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=_DRAWS)
    of_network = _iou(often, held_out, held_out.network)
    of_classifier = _iou(often, held_out, held_out.classifier)
    names = [info.name for info in classes]
    fewest = int(min(counts[judged].min(), present.min()))
    gain = np.nanmean(of_network[:, judged], axis=1) - np.nanmean(of_classifier[:, judged], axis=1)
    low, high = _interval(gain, fewest, 2 * _SURE - 1)
    return Judgement(
        network=_score(of_network, judged, names, fewest),
        classifier=_score(of_classifier, judged, names, fewest),
        gain={"mean": float(gain[0]), "low": low, "high": high},
        better=bool(low > 0),
    )


def strokes(marked: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Connected pieces of labels (y, x) or (z, y, x), 0 unlabelled: position of the class, and where it is, bool."""
    from scipy import ndimage

    out = []
    for value in np.unique(marked[marked > 0]):
        pieces, number = ndimage.label(marked == value, np.ones((3,) * marked.ndim))
        for piece in range(1, number + 1):
            inside = pieces == piece
            for square in _squares(inside):
                out.append((int(value) - 1, square))
    return out


def _squares(inside: np.ndarray) -> list[np.ndarray]:
    if np.count_nonzero(inside) < _SIDE**2:
        return [inside]
    at = np.argwhere(inside)
    _, owners = np.unique(at // _SIDE, axis=0, return_inverse=True)
    parts = []
    for number in range(int(owners.max()) + 1):
        part = np.zeros_like(inside)
        part[tuple(at[owners.reshape(-1) == number].T)] = True
        parts.append(part)
    return parts


def _judged_by_test(image: TrainingImage) -> TrainingImage:
    return replace(image, split=replace(image.split, validation=image.split.test, test=frozenset()))


def _network_says(network: nn.Module, material: Material, raw: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Position of the likeliest class in each voxel of a window, at the size of the image."""
    pixels, _ = material.prepare(raw[None], np.zeros((1, *size), np.uint8))
    with autocast(material.device, material.precision):
        logits = network(pixels).float()
    if logits.shape[2:] != size:
        mode = "bilinear" if len(size) == 2 else "trilinear"
        logits = F.interpolate(logits, size, mode=mode, align_corners=False)
    likeliest: np.ndarray = logits[0].max(0).indices.cpu().numpy()
    return likeliest


def _classifier_says(
    predictor: Predictor, classifier: Model, image: TrainingImage, place: Place, material: Material
) -> np.ndarray:
    window = window_box(place, material.geometry)
    probabilities = ask(predictor, classifier.spec, image, window, material.data.classes)
    answer = np.moveaxis(probabilities.argmax(0), place.axis, 0)
    plane: np.ndarray = answer if material.geometry.volumetric else answer[0]
    return plane


def _not_seen(
    seen: set[tuple[int, int]], image: TrainingImage, place: Place, material: Material, marked: np.ndarray
) -> np.ndarray:
    """Which labelled voxels of a window no earlier window has held; they are noted."""
    window = window_box(place, material.geometry)
    full = marked if material.geometry.volumetric else marked[None]
    where = np.argwhere(full > 0)
    fresh = np.zeros(full.shape, bool)
    order = [*range(1, place.axis + 1), 0, *range(place.axis + 1, 3)]  # back to that of the image
    at = where[:, order] + np.array(window.start)
    keys = np.ravel_multi_index(tuple(at.T), image.shape)
    for key, position in zip(keys.tolist(), where, strict=True):
        if (place.image, key) not in seen:
            seen.add((place.image, key))
            fresh[tuple(position)] = True
    return fresh if material.geometry.volumetric else fresh[0]


def _iou(often: np.ndarray, held_out: HeldOutStrokes, shares: np.ndarray) -> np.ndarray:
    """IoU (draws, classes) where strokes count so often; nan for a class without strokes."""
    count = shares.shape[1]
    joint = np.zeros((len(often), count, count))
    for position in range(count):
        own = held_out.truth == position
        if own.any():
            joint[:, position] = held_out.prevalence[position] * (often[:, own] @ shares[own]) / own.sum()
    hit = np.diagonal(joint, axis1=1, axis2=2)
    union = joint.sum(1) + joint.sum(2) - hit
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(union > 0, hit / union, np.nan))


def _score(iou: np.ndarray, judged: Sequence[int], names: Sequence[str], fewest: int) -> dict[str, Any]:
    mean = np.nanmean(iou[:, judged], axis=1)
    low, high = _interval(mean, fewest, _LEVEL)
    per_class = {name: float(value) for name, value in zip(names, iou[0], strict=True)}
    return {"iou": per_class, "mean": float(mean[0]), "low": max(0.0, low), "high": min(1.0, high)}


def _interval(draws: np.ndarray, units: int, level: float) -> tuple[float, float]:
    """Around the first of the draws, from the spread of the others."""
    from scipy.stats import t

    wide = float(np.nanstd(draws[1:])) * math.sqrt(units / max(1, units - 1))
    wide *= float(t.ppf(0.5 + level / 2, max(1, units - 1)))
    return float(draws[0]) - wide, float(draws[0]) + wide
