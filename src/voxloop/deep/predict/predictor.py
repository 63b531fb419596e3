"""A network on its device that turns blocks of raw intensities into probabilities. Knows no files and no tiles."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxloop.deep.networks.device import GpuMemory, autocast, lay_out, move_network
from voxloop.deep.predict import engine
from voxloop.deep.predict.focus import Focus
from voxloop.deep.predict.reduction import Kept, SplitNetwork, agrees, apply_head, split_head, strips
from voxloop.deep.predict.rows import FedRows
from voxloop.deep.predict.streaming import ROOMY
from voxloop.deep.transfer import runtime, sent
from voxloop.errors import ConfigError, ModelError
from voxloop.geometry import Box
from voxloop.model import Halted, ModelSpec

#: size of the network's voxels against those of the image, zyx: 0.5 has half as many
Zoom = tuple[float, float, float]
_UNTRIED = object()
#: times as fast as torch that another program is, on small blocks, for large planes not to be fed with rows: it slows
#: down to six tenths there, rows do not
_HASTY = 1.5
#: voxels of a side on which another program is compared with torch, at least; by dimensions
_TRIED = {2: 224, 3: 40}


class NetworkPredictor:
    """Calls a network on blocks (n, c, z, y, x).

    A 3-D network is given the block; of a 2-D or 2.5-D one every plane is predicted, with the slices around it. Slices
    that a block lacks at its ends repeat its last one, as training repeats the last slice of the volume.
    """

    def __init__(self, module: nn.Module, spec: ModelSpec, device: torch.device, precision: torch.dtype) -> None:
        self._module = move_network(module, device).eval()
        self._spec = spec
        self._device = device
        self._precision = precision
        self._slices = int(spec.extra.get("slices", 1))
        scale = float(spec.extra.get("scale", 1.0))
        self._zoom: Zoom = tuple(spec.extra.get("zoom", (1.0, scale, scale)))
        self._volumetric = spec.dimensions == 3
        self._normalise = Normalisation.of(spec.normalisation, spec.channels, self._slices).to(device)
        self.device_memory = GpuMemory(device) if runtime(device) is not None else None
        self._split: SplitNetwork | object | None = _UNTRIED
        self._softmax = all(output.kind == "semantic" for output in spec.outputs)
        self._sigmoid = spec.activation == "sigmoid"
        channels = spec.channels * self._slices
        self._rows = FedRows(self._module, spec, channels, self._zoom, self._steps, device, precision)
        self._trial: engine.Trial | None = None
        #: how many times longer the network takes where it is fed with rows, for torch does that
        self.rows_longer = 1.0

    def hasten(self, backend: str, sample: np.ndarray) -> str:
        """Let OpenVINO compute the network, where it says the same and is faster; in words, or "" where torch goes on.

        Parameters
        ----------
        backend
            ``"auto"``, or ``"openvino"``: even where it is not faster.
        sample
            Raw intensities (n, c, z, y, x) to compare on.

        Raises
        ------
        ConfigError
            OpenVINO is asked for by name and not installed, or the network is on a GPU or has many classes.
        ModelError
            The same, and it does not take this network, or says something else.
        """
        named = backend == "openvino"
        if backend == "torch" or self._trial is not None:
            return ""
        if named:
            engine.check_there()
        if not engine.fits(self._module, self._device, self._spec.out_channels):
            if named:
                raise ConfigError("backend='openvino' is for networks of up to 16 outputs on a processor; use 'torch'")
            return ""
        if not engine.is_there():
            return ""
        try:
            trial = self._try(sample)
        except ModelError:
            if named:
                raise
            return ""
        if named and not trial.agrees:
            raise ModelError(f"OpenVINO's probabilities differ from torch's by {trial.error:.1g}; use backend='torch'")
        if not named and not trial.good:
            return ""
        self._trial, self.rows_longer = trial, trial.faster
        return trial.words

    def _try(self, sample: np.ndarray) -> engine.Trial:
        with torch.inference_mode():
            pixels = self._pixels(self._check(sample)[:1])[:1]
        steps = self._steps
        room = _TRIED[len(steps)]
        # sides that differ from each other, and from those it is traced with: what tracing took for constants shows
        sides = [(-(-room // step) + 1 + axis) * step for axis, step in enumerate(steps)]
        traced = torch.zeros(1, pixels.shape[1], *(-(-ROOMY[len(steps)] // step) * step for step in steps))
        more = [(0, 0), (0, 0), *((0, max(0, side - have)) for side, have in zip(sides, pixels.shape[2:], strict=True))]
        larger = torch.from_numpy(np.pad(pixels.numpy(), more, "symmetric"))
        larger = larger[(slice(None), slice(None), *(slice(0, side) for side in sides))]

        def in_torch(images: Tensor) -> Tensor:
            return self._forward(self._module, lay_out(images))

        return engine.tried(self._module, traced, lay_out(larger), self._precision, in_torch, self._said)

    @property
    def _steps(self) -> list[int]:
        """Voxels of the network, along each axis that it looks along, in which it makes whole steps."""
        pairs = zip(self._spec.stride, self._zoom, strict=True)
        return [max(1, round(step * zoom)) for step, zoom in pairs][0 if self._volumetric else 1 :]

    def _roomy(self, pixels: Tensor) -> bool:
        """Whether images are of a size that the network pads by nothing."""
        sides = zip(pixels.shape[2:], self._steps, strict=True)
        return all(side >= ROOMY[len(self._steps)] and side % step == 0 for side, step in sides)

    def _said(self, logits: Tensor) -> Tensor:
        """Logits as what the spec says they are."""
        if self._softmax:
            return logits.softmax(1)
        return logits.sigmoid() if self._sigmoid else logits

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Raw intensities (n, c, z, y, x) to (n, out, z, y, x) float32."""
        batch = self._check(batch)
        n, _, z, y, x = batch.shape
        with torch.inference_mode():
            size = (z, y, x) if self._volumetric else (y, x)
            values = self._said(self._logits(self._pixels(batch), size))
        output: np.ndarray = values.contiguous().cpu().numpy()
        if self._volumetric:
            return output
        return np.ascontiguousarray(output.reshape(n, z, -1, y, x).transpose(0, 2, 1, 3, 4))

    def reduce(
        self,
        batch: np.ndarray,
        *,
        values: np.ndarray,
        measure: str | None,
        keep: bool,
        by_rows: bool = False,
        halted: Callable[[], bool] | None = None,
    ) -> list[tuple[Any, ...]]:
        """What is kept of each block of a batch, without its probabilities ever being held all at once.

        Parameters
        ----------
        values
            Label value of each class; its dtype is that of the labels.
        measure
            Of uncertainty: ``"margin"``, ``"entropy"``, or None for none.
        keep
            Whether probabilities are kept, as uint8.
        by_rows
            Feed the network with rows (:mod:`voxloop.deep.predict.feeding`); only where :meth:`bytes_per_column`
            says it can be.
        halted
            Asked between rows that are fed; once true, :class:`voxloop.model.Halted` is raised.

        Returns
        -------
        list of (labels (z, y, x), probabilities (class, z, y, x) or None, uncertainty (z, y, x) or None, broken)
        """
        batch = self._check(batch)
        n, _, z, y, x = batch.shape
        classes = len(values)
        fed = self._rows.possible((z, y, x)) if by_rows else self.in_rows((z, y, x))
        if fed:
            return [self._by_rows(block[None], values, measure, keep, halted) for block in batch]
        reduction = Kept((n * z, y, x), classes, values, measure, keep)
        with torch.inference_mode():
            pixels = self._pixels(batch)
            split = None if self._volumetric or self._trial else self._split_for(pixels, (y, x))
            if self._volumetric:
                features = self._logits(pixels, (z, y, x)).movedim(2, 1).flatten(0, 1)
            else:
                features = self._forward(split.body, pixels) if split is not None else self._logits(pixels, (y, x))
            for rows in strips(y, 4 * n * z * classes * x, self._device.type):
                if split is None:
                    reduction.fill(rows, features[:, :, rows])
                    continue
                with autocast(self._device, self._precision):
                    logits = apply_head(features, split, rows)
                reduction.fill(rows, logits)
        return [_stack_planes([reduction.one(i * z + plane) for plane in range(z)]) for i in range(n)]

    @cached_property
    def _focus(self) -> Focus | None:
        return Focus.of(self._module, self._spec.channels * self._slices, max(self._steps))

    def focused(self, block: np.ndarray, inner: Box) -> np.ndarray | None:
        """Outputs (out, z, y, x) of a part of a raw block (c, z, y, x), to rounding those of the whole.

        None where the whole takes no longer.
        """
        size = block.shape[-2:]
        part = (inner.start[1], inner.stop[1]), (inner.start[2], inner.stop[2])
        if self._volumetric or any(zoom != 1 for zoom in self._zoom) or 2 * prod(inner.shape[1:]) > prod(size):
            return None
        focus = self._focus
        if focus is None or not focus.pays(part, size, self.rows_longer):
            return None
        with torch.inference_mode():
            pixels = self._pixels(self._check(block[None]))[inner.slices[0]]
            with autocast(self._device, self._precision):
                logits = torch.cat([focus(one, part).float() for one in pixels.split(1)])
            values: np.ndarray = self._said(logits).cpu().numpy()
        return np.ascontiguousarray(values.transpose(1, 0, 2, 3))

    def bytes_per_column(self) -> float | None:
        """Bytes held for each voxel of a row where the network is fed with rows; None: it cannot be.

        A row is a line of the plane in 2-D, a plane of the volume in 3-D.
        """
        return self._rows.bytes_per_column()

    def _by_rows(
        self,
        block: np.ndarray,
        values: np.ndarray,
        measure: str | None,
        keep: bool,
        halted: Callable[[], bool] | None,
    ) -> tuple[Any, ...]:
        """One block (1, c, z, y, x), fed with rows of its planes, or in 3-D with its planes."""
        y, x = block.shape[-2:]
        made: list[tuple[Any, ...]] = []
        with torch.inference_mode():
            for image in self._pixels(block).split(1):
                start = 0
                reduction = None if self._volumetric else Kept((1, y, x), len(values), values, measure, keep)
                for logits in self._rows.logits(image):
                    if halted is not None and halted():
                        raise Halted
                    if reduction is not None:
                        reduction.fill(slice(start, start + logits.shape[2]), logits)
                        start += logits.shape[2]
                        continue
                    planes = logits.movedim(2, 1).flatten(0, 1)
                    planes_reduction = Kept((len(planes), y, x), len(values), values, measure, keep)
                    planes_reduction.fill(slice(0, y), planes)
                    made += [planes_reduction.one(plane) for plane in range(len(planes))]
                if reduction is not None:
                    made.append(reduction.one(0))
        return _stack_planes(made)

    def in_rows(self, size: tuple[int, int, int]) -> bool:
        """Whether planes of a block zyx are fed with rows because that is quicker."""
        return self.rows_longer < _HASTY and self._rows.quicker(size)

    def _check(self, batch: np.ndarray) -> np.ndarray:
        batch = np.asarray(batch)
        if batch.ndim != 5 or batch.shape[1] != self._spec.channels:
            raise ModelError(
                f"this model takes blocks (n, c, z, y, x) of {self._spec.channels} channel(s), not shape {batch.shape}"
            )
        return batch

    def _pixels(self, batch: np.ndarray) -> Tensor:
        """Normalised planes (n * z, c * slices, y, x) or blocks, at the size that the network works at."""
        images = batch.astype(np.float32, copy=False) if self._volumetric else self._planes(batch)
        return lay_out(resize(self._normalise(sent(images, self._device)), self._zoom))

    def _forward(self, module: nn.Module, pixels: Tensor) -> Tensor:
        if self._trial is not None and self._roomy(pixels):
            return self._trial.run(pixels)
        with autocast(self._device, self._precision):
            out: Tensor = module(pixels)
        return out

    def _logits(self, pixels: Tensor, size: tuple[int, ...]) -> Tensor:
        if self.in_rows((1, size[-2], size[-1])):
            return torch.cat([torch.cat(list(self._rows.logits(one)), 2).float() for one in pixels.split(1)])
        logits = self._forward(self._module, pixels).float()
        if logits.shape[2:] == size:
            return logits
        mode = "trilinear" if len(size) == 3 else "bilinear"
        return F.interpolate(logits, size, mode=mode, align_corners=False)

    def _split_for(self, pixels: Tensor, size: tuple[int, int]) -> SplitNetwork | None:
        """Body and head of the network, where it can be cut there and what goes in has the size of what comes out."""
        fits = pixels.shape[-2:] == size and all(
            extent % step == 0 and extent >= ROOMY[2] for extent, step in zip(size, self._spec.stride[1:], strict=True)
        )
        if self._split is _UNTRIED and fits:
            split = split_head(self._module, self._spec.out_channels)
            sample = pixels[:1, :, :256, :256]
            self._split = split if split is not None and agrees(split, self._module, sample) else None
        return self._split if fits and isinstance(self._split, SplitNetwork) else None

    def _planes(self, batch: np.ndarray) -> np.ndarray:
        """(n, c, z, y, x) to float32 (n * z, c * slices, y, x), channel by channel, slices from below to above."""
        n, c, z, y, x = batch.shape
        half = self._slices // 2
        near = np.clip(np.arange(z)[:, None] + np.arange(-half, half + 1), 0, z - 1)
        stacked = batch[:, :, near].astype(np.float32, copy=False)  # (n, c, z, slices, y, x)
        return np.ascontiguousarray(stacked.transpose(0, 2, 1, 3, 4, 5)).reshape(n * z, c * self._slices, y, x)


def _stack_planes(planes: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Planes of one block as one: labels, probabilities, uncertainty, broken."""
    labels, probabilities, uncertainty, broken = zip(*planes, strict=True)
    stacked = None if probabilities[0] is None else _stack(probabilities, 1)
    unsure = None if uncertainty[0] is None else _stack(uncertainty, 0)
    return _stack(labels, 0), stacked, unsure, sum(broken)


def _stack(planes: tuple[np.ndarray, ...], axis: int) -> np.ndarray:
    """One plane becomes a stack without being copied."""
    return np.expand_dims(planes[0], axis) if len(planes) == 1 else np.stack(planes, axis)


class Normalisation:
    """Cut off, subtract and divide by what was measured when training began; what is not a number becomes the mean."""

    def __init__(self, mean: Tensor, deviation: Tensor, bounds: tuple[Tensor, Tensor] | None = None) -> None:
        self._mean, self._deviation, self._bounds = mean, deviation, bounds

    @classmethod
    def of(cls, data: dict[str, Any], channels: int, slices: int) -> Normalisation:
        """From a spec: ``mean`` and ``deviation``, and ``low`` and ``high`` where it has them, one number a channel.

        Raises ModelError if they do not fit.
        """
        measured = [data.get("mean", [0.0] * channels), data.get("deviation", [1.0] * channels)]
        measured += [data["low"], data["high"]] if "low" in data else []
        if any(len(values) != channels for values in measured):
            raise ModelError(f"normalisation of {len(measured[0])} channels in a model of {channels}")
        mean, deviation, *bounds = (
            torch.tensor(values, dtype=torch.float32).repeat_interleave(slices) for values in measured
        )
        if not bounds:
            return cls(mean, deviation, None)
        return cls(mean, deviation, (bounds[0], bounds[1]))

    def to(self, device: torch.device) -> Normalisation:
        bounds = self._bounds and (self._bounds[0].to(device), self._bounds[1].to(device))
        return Normalisation(self._mean.to(device), self._deviation.to(device), bounds)

    def __call__(self, pixels: Tensor) -> Tensor:
        """(n, c * slices, y, x) raw to normalised; in 3-D (n, c, z, y, x)."""
        mean, deviation, *bounds = (
            part.view(-1, *[1] * (pixels.ndim - 2)) for part in (self._mean, self._deviation, *(self._bounds or ()))
        )
        if bounds:  # of floats: bounds of integers lie between them
            pixels = torch.minimum(torch.maximum(pixels.float(), bounds[0]), bounds[1])
        out: Tensor = (pixels - mean).div_(deviation)
        if out.device.type == "cpu" and torch.isfinite(out.sum()):  # elsewhere to look would make a GPU wait
            return out
        return out.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)


def resize(pixels: Tensor, zoom: Zoom) -> Tensor:
    """(n, c, y, x) or (n, c, z, y, x) at another size, ``zoom`` zyx; averaged where it shrinks."""
    factors = zoom[-(pixels.ndim - 2) :]
    if all(factor == 1.0 for factor in factors):
        return pixels
    size = [max(1, round(extent * factor)) for extent, factor in zip(pixels.shape[2:], factors, strict=True)]
    if pixels.ndim == 4:
        return F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=min(factors) < 1)
    # means of whole voxels where that is what a smaller size asks for: trilinear would leave most of them out
    whole = all((1 / factor).is_integer() for factor in factors)
    if whole and all(n % k == 0 for n, k in zip(pixels.shape[2:], size, strict=True)):
        return F.interpolate(pixels, size, mode="area")
    return F.interpolate(pixels, size, mode="trilinear", align_corners=False)
