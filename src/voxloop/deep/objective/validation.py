"""How good a network is on held-out labels: loss, contingency table, pictures of fixed windows. Knows no optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxloop.deep.networks.device import lay_out
from voxloop.deep.objective.instances import Criterion
from voxloop.deep.objective.matching import WINDOWS
from voxloop.deep.objective.metrics import WindowScores, scores_of
from voxloop.deep.transfer import runtime


class Tally:
    """Adds up losses and a contingency table (truth, predicted) of labelled voxels, on the device."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self._classes = classes
        self._table = torch.zeros(classes, classes, dtype=torch.int64, device=device)
        loss_device = device if device.type != "mps" else "cpu"  # mps has no float64
        self._loss = torch.zeros((), dtype=torch.float64, device=loss_device)
        self._count = 0

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        # unlabelled voxels are counted in a bin of their own: to choose the others makes a GPU wait
        square = self._classes**2
        truth = labels.flatten().long() - 1
        predicted = logits.detach().max(1).indices.flatten()  # on a CPU 30 times as fast as argmax
        pairs = torch.where(truth >= 0, truth * self._classes + predicted, square)
        if labels.device.type == "cpu":
            bins = torch.bincount(pairs, minlength=square + 1)[:square]
        else:
            bins = torch.zeros(square + 1, dtype=torch.int64, device=pairs.device)
            bins = bins.scatter_add_(0, pairs, torch.ones_like(pairs))[:square]
        self._table += bins.view(self._classes, -1)
        self._loss += loss.detach().to(self._loss)
        self._count += 1

    def scores(self) -> WindowScores:
        loss = float(self._loss) / self._count if self._count else float("nan")
        return scores_of(self._table.cpu().numpy(), loss)

    def to_json(self) -> dict[str, Any]:
        return {"table": self._table.tolist(), "loss": float(self._loss), "count": self._count}

    def restore(self, data: dict[str, Any]) -> None:
        self._table.copy_(torch.tensor(data["table"]))
        self._loss.fill_(data["loss"])
        self._count = data["count"]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutWindow:
    """A window that judges: pixels (1, c, y, x) and labels (1, y, x), with z in 3-D; ``made`` are its targets.

    These are found once where a GPU would wait for them after every epoch; None: they are found when they are needed,
    since they take several times the room of the labels.
    """

    pixels: Tensor
    labels: Tensor
    made: Any = None

    @classmethod
    def of(cls, pixels: Tensor, labels: Tensor, loss: Criterion) -> HeldOutWindow:
        if runtime(labels.device) is None:
            return cls(pixels, labels)
        return cls(lay_out(pixels), labels, loss.targets(labels))


def evaluate(
    network: nn.Module,
    windows: Sequence[HeldOutWindow],
    loss: Criterion,
    classes: int,
    *,
    together: int = 1,
    kept: int = 0,
) -> tuple[WindowScores, list[Tensor]]:
    """Scores on prepared windows, and what the network says of the first ``kept``; it is in evaluation mode.

    Parameters
    ----------
    together
        Windows that go through the network at once on a GPU; a processor gains nothing by that.
    """
    device = windows[0].pixels.device
    tally, matcher = Tally(classes, device), loss.matcher()
    said: list[Tensor] = []
    together = together if runtime(device) is not None else 1
    for first in range(0, len(windows), together):
        part = windows[first : first + together]
        logits = network(part[0].pixels if len(part) == 1 else torch.cat([window.pixels for window in part]))
        for number, (window, own) in enumerate(zip(part, logits.split(1), strict=True), start=first):
            value, scored, truth = loss.loss_and_scored(own, window.labels, window.made)
            tally.add(scored, truth, value)
            if matcher is not None and number < WINDOWS:
                matcher.add(own, window.labels)
            if number < kept:
                said.append(own)
    scores = tally.scores()
    return scores if matcher is None else replace(scores, objects=matcher.scores()), said


def draw_sample(path: Path, pixels: Tensor, labels: Tensor, logits: Tensor, colors: Sequence[str]) -> None:
    """A PNG: the window, the held-out labels over it, the predicted classes over it, the confidence.

    ``pixels`` (c, y, x), ``labels`` (y, x), ``logits`` (classes, y, x); of blocks the slice with most labels is drawn.
    """
    import imageio.v3 as iio

    if labels.ndim == 3:
        plane = int((labels > 0).sum(dim=(-2, -1)).argmax())
        pixels, labels, logits = pixels[:, plane], labels[plane], logits[:, plane]
    middle = pixels[pixels.shape[0] // 2].float().cpu().numpy()
    confidence, predicted = logits.float().softmax(0).max(0)
    panels = [
        *picture(middle, labels.cpu().numpy(), colors),
        picture(middle, predicted.cpu().numpy() + 1, colors, 0.4)[1],
        np.repeat((confidence.cpu().numpy() * 255).astype(np.uint8)[..., None], 3, -1),
    ]
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    iio.imwrite(temporary, np.concatenate(panels, axis=1), extension=".png")
    temporary.replace(path)


def picture(
    pixels: np.ndarray, labels: np.ndarray, colors: Sequence[str], opacity: float = 0.8
) -> tuple[np.ndarray, np.ndarray]:
    """A normalised plane (y, x) as RGB uint8, and the same with labels (0: none) over it in ``"#rrggbb"`` colours."""
    gray = (np.clip(pixels / 5 + 0.5, 0, 1) * 255).astype(np.uint8)  # +-2.5 standard deviations
    plain = np.repeat(gray[..., None], 3, -1)
    palette = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colors], float)
    marked, labelled = plain.astype(float), labels > 0
    marked[labelled] = (1 - opacity) * marked[labelled] + opacity * palette[labels[labelled].astype(int) - 1]
    return plain, marked.astype(np.uint8)
