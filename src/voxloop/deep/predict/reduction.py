"""Logits to what is kept of them, where the network runs: labels, uint8 probabilities, uncertainty.

A hundred classes are a hundred floats a voxel, more than all that a small network holds itself. Here they exist for a
strip of a block at a time: the last layer runs on strips of the features before it, and each strip is reduced at once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

#: bytes of float32 logits of a strip: small enough for caches of processors, large enough to keep a GPU busy
STRIP_BYTES = {"cpu": 4 * 2**20, "cuda": 256 * 2**20}
#: names under which networks keep their last layer
HEADS = ("segmentation_head", "final_conv", "conv_final", "output_block", "out", "head")


@dataclass(frozen=True, slots=True)
class SplitNetwork:
    """A network in two: ``head(body(x))`` is the network; the head looks ``margin`` voxels around each voxel."""

    body: nn.Module
    head: nn.Module
    margin: int


def split_head(module: nn.Module, outputs: int) -> SplitNetwork | None:
    """Take the last layer off a network, without changing it; None where it has none that can be told.

    The last layer must be convolutions and what acts voxel by voxel, with ``outputs`` channels coming out. Whether the
    network does nothing else after it is for the caller to try (:func:`agrees`).
    """
    path: list[str] = []
    inner = module
    while True:
        name = next((n for n in HEADS if n in inner._modules), None)
        if name is not None:
            break
        if "core" not in inner._modules:
            return None
        path.append("core")
        inner = inner._modules["core"]  # type: ignore[assignment]
    head = inner._modules[name]
    margin = _margin(head, outputs) if head is not None else None
    if head is None or margin is None:
        return None
    return SplitNetwork(_without(module, [*path, name]), head, margin)


def agrees(split: SplitNetwork, module: nn.Module, sample: Tensor) -> bool:
    """Whether body and head, one after the other, are the network; tried on a sample."""
    try:
        whole = module(sample)
        parts = split.head(split.body(sample))
    except Exception:  # whatever a foreign network raises says no
        return False
    return isinstance(parts, Tensor) and parts.shape == whole.shape and torch.allclose(parts, whole, atol=1e-4)


def _margin(head: nn.Module, outputs: int) -> int | None:
    """Voxels that a head sees to each side; None where it is not made of plain convolutions."""
    margin, channels = 0, None
    for layer in head.modules():
        if any(layer.children()) or isinstance(layer, nn.Identity | nn.Dropout | nn.Dropout2d | nn.Dropout3d):
            continue
        if not isinstance(layer, nn.Conv2d | nn.Conv3d) or layer.padding_mode != "zeros":
            return None
        if any(step != 1 for step in layer.stride) or isinstance(layer.padding, str):
            return None
        reach = [(k - 1) // 2 * d for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
        if tuple(layer.padding) != tuple(reach) or any(k % 2 == 0 for k in layer.kernel_size):
            return None
        margin, channels = margin + reach[0], layer.out_channels
    return margin if channels == outputs else None


def _without(module: nn.Module, path: list[str]) -> nn.Module:
    """The module with the identity in place of one layer; shares everything else with it."""
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    name, *rest = path
    inner = module._modules[name]
    assert inner is not None
    twin._modules[name] = _without(inner, rest) if rest else nn.Identity()
    return twin


def strips(extent: int, bytes_per_row: int, device: str) -> Iterator[slice]:
    """Rows that go together."""
    rows = max(1, STRIP_BYTES.get(device, STRIP_BYTES["cpu"]) // max(1, bytes_per_row))
    for start in range(0, extent, rows):
        yield slice(start, min(extent, start + rows))


def apply_head(features: Tensor, split: SplitNetwork, rows: slice) -> Tensor:
    """Logits of some rows (axis 2) of the features; the same as of all rows, to rounding."""
    low, high = max(0, rows.start - split.margin), min(features.shape[2], rows.stop + split.margin)
    logits: Tensor = split.head(features[:, :, low:high])
    return logits[:, :, rows.start - low : rows.stop - low]


class Kept:
    """What is kept of a batch (n, *space), filled by rows of the first axis of space. On the processor's side."""

    def __init__(
        self, shape: tuple[int, ...], classes: int, values: np.ndarray, measure: str | None, keep: bool
    ) -> None:
        self._values, self._measure = values, measure
        self.labels = np.empty(shape, values.dtype)
        self.probabilities = np.empty((shape[0], classes, *shape[1:]), np.uint8) if keep else None
        self.uncertainty = np.empty(shape, np.uint8) if measure is not None else None
        self.broken = np.zeros(shape[0], np.int64)

    def fill(self, rows: slice, logits: Tensor) -> None:
        """Reduce the logits (n, class, rows, ...) of some rows. Labels are those of the best class, the first wins."""
        probabilities = logits.float().softmax(1)
        classes = list(probabilities.unbind(1))
        best, second, chosen = _two_best(classes)
        finite = torch.isfinite(best)
        whole = bool(finite.all())
        if not whole:
            probabilities = torch.nan_to_num(probabilities, nan=0.0, posinf=0.0, neginf=0.0)
            self.broken += (~finite).flatten(1).sum(1).cpu().numpy()
        labels = self._values[chosen.cpu().numpy()]
        self.labels[:, rows] = labels if whole else np.where(finite.cpu().numpy(), labels, 0)
        if self.probabilities is not None:
            self.probabilities[:, :, rows] = _quantise(probabilities).cpu().numpy()
        if self.uncertainty is not None:
            unsure = 1 - (best - second) if self._measure == "margin" else _entropy(classes)
            self.uncertainty[:, rows] = _quantise(unsure.masked_fill(~finite, 1.0)).cpu().numpy()

    def one(self, index: int) -> tuple[Any, ...]:
        """Labels, probabilities, uncertainty and the count of broken voxels of one of the batch."""
        probabilities = None if self.probabilities is None else self.probabilities[index]
        uncertainty = None if self.uncertainty is None else self.uncertainty[index]
        return self.labels[index], probabilities, uncertainty, int(self.broken[index])


def _two_best(classes: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    best, second = classes[0].clone(), torch.zeros_like(classes[0])
    index_type = torch.uint8 if len(classes) < 257 else torch.int16
    chosen = torch.zeros(best.shape, dtype=index_type, device=best.device)
    for index, share in enumerate(classes[1:], start=1):
        higher = share > best
        second = torch.maximum(second, torch.minimum(best, share))
        best = torch.maximum(best, share)
        chosen.masked_fill_(higher, index)
    return best, second, chosen


def _entropy(classes: list[Tensor]) -> Tensor:
    total = torch.zeros_like(classes[0])
    for share in classes:
        total -= share * share.clamp_min(1e-9).log()
    return total / float(np.log(max(2, len(classes))))


def _quantise(values: Tensor) -> Tensor:
    return (values * 255 + 0.5).clamp_(0, 255.5).to(torch.uint8)
