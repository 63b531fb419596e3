"""What stands against a training, told before it begins, with the setting that helps. Computes no gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from voxloop.deep.begin.material import Material
from voxloop.deep.begin.memory import window_words

#: how many times more voxels one class may have than another before that is said
LOPSIDED = 20
#: narrowest labelled things, in voxels of the network, that it can tell from noise
THIN = 3.0
#: what is so many times as long as it is wide is no speck: a membrane, a filament
LONG = 5
#: networks that decide by so many voxels and stretch the result (segmentation-models-pytorch: upsampling of the head)
STEPS = {"FPN": 4, "PAN": 4, "DeepLabV3Plus": 4, "UPerNet": 4, "Segformer": 4, "PSPNet": 8, "DeepLabV3": 8}
#: share of padding in a window from which that is said
PADDING = 0.1
#: learning rate that is for random weights
FAST = 1e-3
#: windows that are looked at
_LOOKED_AT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One sentence; ``fix`` are settings that would help, empty where only labels would."""

    words: str
    kind: str = "warning"
    fix: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"words": self.words, "kind": self.kind, "fix": self.fix}


def preflight(material: Material) -> list[Note]:
    """Notes on labels and windows, worst first; empty where nothing is to be said."""
    notes = [Note(words=f"{words[0].upper()}{words[1:]}.", fix={}) for words in material.data.warnings]
    for look in (_imbalance, _thin, _window, _padding, _empty, _fast, _price):
        notes += look(material)
    return notes


def _imbalance(material: Material) -> list[Note]:
    counts = dict(zip((info.name for info in material.data.classes), material.data.counts, strict=True))
    most, least = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    ratio = counts[most] / max(1, counts[least])
    if ratio < LOPSIDED or material.config.class_weights != "none" or material.config.target != "semantic":
        return []
    return [
        Note(
            words=f"{most!r} has {ratio:.0f} times the labelled voxels of {least!r}, which counts little in the loss.",
            fix={"class_weights": "auto"},
        )
    ]


def _thin(material: Material) -> list[Note]:
    """Labelled things that are hardly there at the network's scale: specks, and what is long but thin."""
    from scipy import ndimage

    sizes: dict[int, list[tuple[float, float]]] = {}
    for index in range(_LOOKED_AT):
        _, labels = material.sampler.sample(index, 0)
        for value in np.unique(labels[labels > 0]):
            plane = labels[(labels == value).sum(axis=(-2, -1)).argmax()] if labels.ndim == 3 else labels
            inside = ndimage.distance_transform_edt(np.pad(plane == value, 1))
            boxes = ndimage.find_objects(ndimage.label(plane == value)[0])
            length = max(max(part.stop - part.start for part in box) for box in boxes)
            sizes.setdefault(int(value), []).append((2 * float(inside.max()) - 1, length))
    scale, config = material.scale, material.config
    step = STEPS.get(config.architecture, 1)
    finer = {"architecture": "Unet"} if step > 1 and config.start_from is None else {}  # weights fit their own network
    found: dict[bool, list[tuple[str, float]]] = {False: [], True: []}  # of thin things, of specks
    for value, seen in sorted(sizes.items()):
        width, length = (float(np.median(one)) * scale for one in zip(*seen, strict=True))
        if width < max(THIN, step):
            found[length < LONG * width].append((material.data.classes[value - 1].name, width))
    at = f" at input scale {scale:g}" if scale < 1 else ""
    coarse = [f"{config.architecture} decides by {step} x {step} voxels, Unet by each"] if finer else []
    notes = []
    for specks, thin in found.items():
        if specks:
            remedies = ["at full scale more is left of them"] * bool(at) + coarse
            remedies = remedies or ["paint whole things, or with a larger brush"]
        else:  # at full scale, and voxel by voxel, a network learns thin things well
            remedies = ["thin things are learnt best at full scale"] * bool(at) + coarse
        if thin and remedies:
            names, widths = (_and(words) for words in zip(*((repr(n), f"{w:.2g}") for n, w in thin), strict=True))
            words = f"Labels of {names} are {'specks, ' if specks else 'only '}{widths} voxels wide{at}"
            fix = {**({"scale": 1.0} if at else {}), **finer}
            notes.append(Note(words=f"{words}: {'; '.join(remedies)}.", fix=fix))
    return notes


def _and(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _padding(material: Material) -> list[Note]:
    """A window that the network pads, with the nearest that it takes as it is."""
    network, window = material.description, material.window
    padded = network.padded(window)
    waste = math.prod(padded) / math.prod(window) - 1
    if waste < PADDING:
        return []
    near = [max(n, round(side / n) * n) for side, n in zip(window, network.steps, strict=True)]
    fix: dict[str, Any] = {"window": list(network.padded(near))}
    instead = f"{window_words(fix['window'])} is computed as it is"
    if network.volumetric and replace(network, normalisation="batch").padded(window) == window:
        fix, instead = {"normalisation": "batch"}, "normalised by batch, they are computed as they are"
    return [
        Note(
            words=f"Windows of {window_words(window)} are padded to {window_words(padded)}: {network.architecture} "
            f"computes multiples of {window_words(network.steps)}, {window_words(network.smallest)} at least. That is "
            f"{waste:.0%} more than they show; {instead}.",
            fix=fix,
        )
    ]


def _empty(material: Material) -> list[Note]:
    """Negative examples that nobody has labelled."""
    if not material.config.negatives or material.sampler.knows_nothing:
        return []
    words = "There is no place where background alone is labelled: no window is a negative example. Label such places."
    return [Note(words=words, fix={"negatives": 0.0})]


def _fast(material: Material) -> list[Note]:
    """A learning rate for random weights, given to weights that know something already."""
    config = material.config
    if config.start_from is None or config.learning_rate < FAST:
        return []
    words = f"The weights of {config.start_from!r} know something already: a tenth of the learning rate keeps it."
    return [Note(words=words, kind="info", fix={"learning_rate": float(f"{config.learning_rate / 10:.3g}")})]


def _price(material: Material) -> list[Note]:
    """What it costs that labels which teach lie further from those that judge than the network sees."""
    far = material.sight
    if far is None:
        return []
    words = (
        f"The network sees {' x '.join(map(str, far))} voxels (z, y, x) far, and no label nearer than that to those "
        f"held out teaches: {material.data.shares.ignored:.0%} of the labels are left out. In blocks fewer are, but "
        "those that judge then lie where the network looked in training."
    )
    return [Note(words=words, kind="info", fix={"split": "block"})]


def _window(material: Material) -> list[Note]:
    """Windows that hold more margin than image."""
    smallest = min(min(image.shape[1:]) for image in material.data.images)
    extent = max(material.geometry.height, material.geometry.width)
    if extent < 1.5 * smallest:
        return []
    return [
        Note(
            words=f"Windows of {extent} voxels are larger than the image ({smallest}): most of them is margin.",
            fix={"window": "auto"},
        )
    ]
