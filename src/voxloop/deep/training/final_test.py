"""The last word on a network: its kept weights on labels that were held out, beside what a trivial method reaches.

With ``test_share`` these labels had no part in anything before. Without, they are those of the validation, which chose
the epoch that is kept and so flatter it; the event says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from voxloop.deep.begin.material import Material
from voxloop.deep.data.windows import validation_places, validation_window
from voxloop.deep.networks.device import autocast, lay_out
from voxloop.deep.objective.instances import Criterion
from voxloop.deep.objective.metrics import scores_of

#: windows that are looked at, at most: of a test, and of a validation
_TEST, _VALIDATION = 96, 24
#: training batches from which the threshold of the baseline comes
_LOOKED_AT = 12
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """IoU by class and its mean, with a 90 % interval of the mean (bootstrap over windows; NaN below two of them)."""

    iou: dict[str, float]
    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, tables: np.ndarray, names: Sequence[str], seed: int) -> Verdict:
        """``tables`` (windows, truth, predicted) are counts of voxels."""
        whole = scores_of(tables.sum(0), 0.0)
        low = high = float("nan")
        if len(tables) > 1:
            rng = np.random.default_rng(seed)
            picks = rng.integers(len(tables), size=(_DRAWS, len(tables)))
            drawn = [scores_of(tables[pick].sum(0), 0.0).mean("iou") for pick in picks]
            low, high = (float(v) for v in np.percentile(drawn, [5, 95]))
        return cls(dict(zip(names, whole.iou, strict=True)), whole.mean("iou"), low, high)

    def to_json(self) -> dict[str, Any]:
        return {"iou": self.iou, "mean": self.mean, "low": self.low, "high": self.high}


def examine(network: nn.Module, material: Material, criterion: Criterion) -> dict[str, Any] | None:
    """Fields of a ``test`` event; None where nothing was held out.

    Parameters
    ----------
    network
        In evaluation mode, on the device.
    """
    data, geometry, seed = material.data, material.geometry, material.config.seed
    tested = any(image.split.test for image in data.images)
    images = [
        replace(
            image,
            split=replace(
                image.split, validation=image.split.test if tested else image.split.validation, test=frozenset()
            ),
        )
        for image in data.images
    ]
    places = validation_places(images, geometry, _TEST if tested else _VALIDATION, seed)
    classes = len(data.classes)
    threshold = _Threshold.of(material) if classes == 2 else None
    usual = int(np.argmax(data.counts))
    tables, baseline_tables = [], []
    found, found_plain = criterion.matcher(), criterion.matcher()
    with torch.inference_mode():
        for place in places:
            raw, marked = validation_window(images, place, geometry)
            pixels, labels = material.prepare(raw[None], marked[None])
            with autocast(material.device, material.precision):
                outputs = network(lay_out(pixels))
            logits, truth = criterion.scored(outputs, labels)
            known = truth[0].cpu().numpy().ravel()
            predicted = logits[0].max(0).indices.cpu().numpy().ravel()
            plain = threshold(pixels) if threshold else np.full_like(predicted, usual)
            tables.append(_table(known, predicted, classes))
            baseline_tables.append(_table(known, plain, classes))
            if found is not None and found_plain is not None:
                found.add(outputs, labels)
                coded = labels[0].cpu().numpy().reshape(-1, *labels.shape[-2:])
                found_plain.add_objects(ndimage.label(plain.reshape(coded.shape) > 0)[0], coded)
    if not tables or not np.sum(tables):
        return None
    names = [info.name for info in data.classes]
    return {
        "on": "test" if tested else "validation",
        "windows": len(tables),
        "voxels": int(np.sum(tables)),
        **Verdict.of(np.array(tables), names, seed).to_json(),
        **({"objects": found.scores()} if found else {}),
        "baseline": {
            "name": "Otsu's threshold" if threshold else f"{names[usual]} everywhere",
            **Verdict.of(np.array(baseline_tables), names, seed).to_json(),
            **({"objects": found_plain.scores()} if found_plain else {}),
        },
    }


def _table(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    known = truth > 0
    pairs = (truth[known].astype(np.int64) - 1) * classes + predicted[known]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


@dataclass(frozen=True, slots=True)
class _Threshold:
    """Otsu's threshold of the first channel; ``above`` is the class of what is brighter, by the labels that teach."""

    value: float
    above: int
    channel: int

    @classmethod
    def of(cls, material: Material) -> _Threshold:
        from skimage.filters import threshold_otsu

        values, labels = [], []
        for step in range(_LOOKED_AT):
            pixels, marked = material.prepare(*material.sampler.batch(step, 2))
            channel = pixels.shape[1] // material.data.channels // 2  # the middle slice of the first channel
            values.append(pixels[:, channel].float().cpu().numpy().ravel())
            labels.append(marked.cpu().numpy().ravel())
        seen, known = np.concatenate(values), np.concatenate(labels)
        means = [seen[known == 1], seen[known > 1]]
        brighter = int(np.mean(means[1]) > np.mean(means[0])) if all(map(len, means)) else 1
        return cls(float(threshold_otsu(seen)), brighter, channel)

    def __call__(self, pixels: torch.Tensor) -> np.ndarray:
        bright = (pixels[0, self.channel].float() > self.value).cpu().numpy().ravel()
        return np.where(bright, self.above, 1 - self.above)
