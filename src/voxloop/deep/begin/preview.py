"""See before training: the windows that the network gets, and how far it looks. Takes no step."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from voxloop.config.deep import DeepConfig
from voxloop.config.presets import AUTO
from voxloop.deep.begin.lending import lends
from voxloop.deep.begin.material import Material, folder_of, gather_cached, gather_now
from voxloop.deep.data.windows import Place, read_pixels
from voxloop.deep.networks.network import field_of
from voxloop.deep.objective.validation import picture
from voxloop.errors import VolumeError
from voxloop.model import ClassInfo

if TYPE_CHECKING:
    from voxloop.helper.handlers import Job

#: windows of a batch that are drawn
_DRAWN = 8
#: side in voxels of the network of the crop on which the effective field is measured, at most
_CROP, _CROP_3D = 512, 96
#: share of the gradient that lies within the effective field
SHARE = 0.9


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """One batch as the network gets it.

    ``pixels`` float32 (n, c, y, x) normalised and augmented, ``labels`` uint8 (n, y, x): 0 unlabelled, then the
    classes in their order; with z in 3-D. Shows itself in a notebook: of a block its slice with most labels.
    """

    batch: int
    pixels: np.ndarray
    labels: np.ndarray
    classes: tuple[ClassInfo, ...]
    scale: float

    @property
    def counts(self) -> dict[str, int]:
        """Labelled voxels of each class in the batch."""
        found = np.bincount(self._shown.ravel(), minlength=len(self.classes) + 1)[1:]
        return {info.name: int(n) for info, n in zip(self.classes, found, strict=True)}

    @property
    def _shown(self) -> np.ndarray:
        """Labels as classes; of instances, whose numbers go on, all objects are the last."""
        shown: np.ndarray = np.minimum(self.labels, len(self.classes))
        return shown

    def png(self) -> bytes:
        """A sheet: the windows in the upper row, their targets over them in the lower."""
        import imageio.v3 as iio

        colors = [info.color for info in self.classes]
        columns = []
        for pixels, labels in list(zip(self.pixels, self._shown, strict=True))[:_DRAWN]:
            if labels.ndim == 3:
                plane = int((labels > 0).sum(axis=(-2, -1)).argmax())
                pixels, labels = pixels[:, plane], labels[plane]
            gray, marked = picture(pixels[pixels.shape[0] // 2], labels, colors)
            columns.append(np.concatenate([gray, np.full((4, *gray.shape[1:]), 128, np.uint8), marked]))
        gap = np.full((columns[0].shape[0], 4, 3), 128, np.uint8)
        sheet = np.concatenate([piece for column in columns for piece in (column, gap)][:-1], axis=1)
        stream = io.BytesIO()
        iio.imwrite(stream, sheet, extension=".png")
        return stream.getvalue()

    def _repr_png_(self) -> bytes:
        return self.png()


@dataclass(frozen=True, kw_only=True)
class Field:
    """How far a network looks about one voxel of an image.

    ``theoretical`` and ``effective`` are full extents (y, x) in voxels of the image, whatever the input scale; None
    where every voxel reaches every other. The effective field holds 90 % of the gradient of the output in the middle
    with respect to the input (Luo et al. 2016). ``*_um`` are the same in micrometres. ``slices`` are those that it
    takes into account: in 3-D those of the effective field, else those that go in together.
    """

    at: tuple[int, int, int]
    theoretical: tuple[int, int] | None
    effective: tuple[int, int]
    window: tuple[int, int]
    slices: int
    spacing_um: tuple[float, float, float]
    scale: float

    @property
    def theoretical_um(self) -> tuple[float, float] | None:
        return None if self.theoretical is None else self._um(self.theoretical)

    @property
    def effective_um(self) -> tuple[float, float]:
        return self._um(self.effective)

    def _um(self, size: Sequence[float]) -> tuple[float, float]:
        return size[0] * self.spacing_um[1], size[1] * self.spacing_um[2]

    def to_json(self) -> dict[str, Any]:
        return {
            "at": list(self.at),
            "theoretical": self.theoretical and list(self.theoretical),
            "theoretical_um": self.theoretical_um and list(self.theoretical_um),
            "effective": list(self.effective),
            "effective_um": list(self.effective_um),
            "window": list(self.window),
            "slices": self.slices,
            "scale": self.scale,
        }


def training_inputs(workspace: Any, config: DeepConfig | None = None, batch: int = 0) -> Inputs:
    """The windows of a batch, after sampling, scaling and augmentation, with their targets.

    Parameters
    ----------
    workspace
        A :class:`voxloop.Workspace` or its folder; labels are taken as they are now.
    config
        What the run would be given; None: the preset ``auto``.
    batch
        Which one, from 0: a run with the same config gets the same windows at that step.

    Raises
    ------
    LabelError
        Nothing, or only one class, is labelled.
    """
    return _inputs(gather_now(folder_of(workspace), AUTO if config is None else DeepConfig.of(config)), batch)


def field_of_view(
    workspace: Any, config: DeepConfig | None = None, at: Sequence[int] | None = None, image: str | None = None
) -> Field:
    """How far the network of a config looks, about a voxel ``at`` (zyx; the middle where None) of an image.

    Without a config: that of the preset ``auto``.

    Raises
    ------
    LabelError
        Nothing, or only one class, is labelled.
    VolumeError
        The voxel is not in the image, or the image is not trained on.
    """
    material = gather_now(folder_of(workspace), AUTO if config is None else DeepConfig.of(config))
    return _field(material, image, at, {})


@lends
def inputs(job: Job) -> dict[str, Any]:
    """Answer of the helper. Fields ``config`` (JSON) and ``batch``; returns the sheet as base64 and what is on it."""
    found = _inputs(gather_cached(job.state, job.workspace, _config(job)), int(job.fields.get("batch", 0)))
    job.check()
    n, size = len(found.pixels), found.pixels.shape[2:]
    return {
        "png": base64.b64encode(found.png()).decode(),
        "batch": found.batch,
        "windows": n,
        "size": list(size),
        "scale": found.scale,
        "counts": found.counts,
        "colors": [info.color for info in found.classes],
    }


@lends
def receptive_field(job: Job) -> dict[str, Any]:
    """Answer of the helper. Fields ``config`` (JSON), ``image`` and ``at`` (zyx); returns :meth:`Field.to_json`."""
    material = gather_cached(job.state, job.workspace, _config(job))
    job.check()
    found = _field(material, job.fields.get("image"), job.fields.get("at"), job.state, job)
    return found.to_json()


def _inputs(material: Material, batch: int) -> Inputs:
    pixels, labels = material.batch(batch)
    return Inputs(
        batch=batch,
        pixels=pixels.cpu().numpy(),
        labels=labels.cpu().numpy(),
        classes=material.data.classes,
        scale=material.scale,
    )


def _field(
    material: Material, image: str | None, at: Sequence[int] | None, state: dict[str, Any], job: Job | None = None
) -> Field:
    names = [known.name for known in material.data.images]
    if image is not None and image not in names:
        raise VolumeError(f"image {image!r} has no labels to train on; those that have are {', '.join(names)}")
    index = names.index(image) if image is not None else 0
    shape = material.data.images[index].shape
    z, y, x = at if at is not None else [size // 2 for size in shape]
    if not all(0 <= v < size for v, size in zip((z, y, x), shape, strict=True)):
        raise VolumeError(f"voxel ({z}, {y}, {x}) is not in {names[index]!r} of {shape} voxels; choose one inside")
    key = (material.description, material.config.encoder_weights, material.config.start_from)
    network, reach = state.get("network", {}).get(key) or (None, None)
    if network is None:
        network = material.network()
        if job is not None:
            job.check()
        reach = field_of(network, material.description)
        state["network"] = {key: (network, reach)}
    depth, radius = _effective(network, material, index, (int(z), int(y), int(x)))
    scale = material.scale
    span = None if reach is None else _span(max(reach[1:]), scale)
    slices = material.config.slices
    if material.geometry.volumetric:
        slices = round((2 * depth + 1) / material.arrangement.zoom[0])
    spacing = material.data.spacing_um
    return Field(
        at=(int(z), int(y), int(x)),
        theoretical=span,
        effective=_span(radius, scale),
        window=(material.geometry.height, material.geometry.width),
        slices=slices,
        spacing_um=(spacing[0], spacing[1], spacing[2]),
        scale=scale,
    )


def _span(radius: float, scale: float) -> tuple[int, int]:
    side = round((2 * radius + 1) / scale)
    return side, side


def _effective(
    network: torch.nn.Module, material: Material, image: int, at: tuple[int, int, int]
) -> tuple[float, float]:
    """Voxels of the network from the middle within which ``SHARE`` of its gradient lies: along z, in the plane."""
    source, geometry, zoom = material.data.images[image], material.geometry, material.arrangement.zoom
    if geometry.volumetric:
        size = [max(16, min(_CROP_3D, round(n * f) // 16 * 16)) for n, f in zip(source.shape, zoom, strict=True)]
        depth = size[0] = min(size[0], -(-material.window[0] // 16) * 16)
    else:
        depth = 1
        side = min(_CROP, *(max(64, round(n * material.scale) // 32 * 32) for n in source.shape[1:]))
        size = [side, side]
    across = min(size[-2:])
    sizes = [max(1, round(n / f)) for n, f in zip((depth, across, across), zoom, strict=True)]
    crop = replace(geometry, depth=sizes[0], height=sizes[1], width=sizes[2])
    start = [v - n // 2 for v, n in zip(at, sizes, strict=True)]
    place = Place(image=image, z=start[0] if geometry.volumetric else at[0], y=start[1], x=start[2])
    pixels = read_pixels(source, place, crop)
    blank = np.zeros((1, *(sizes if geometry.volumetric else sizes[1:])), np.uint8)
    seen, _ = material.prepare(pixels[None], blank)
    _settle(network, seen)
    seen = seen.detach().requires_grad_()
    middle = [n // 2 for n in seen.shape[2:]]
    found = network(seen)[(0, slice(None), *(slice(max(0, m - 1), m + 2) for m in middle))]
    (gradient,) = torch.autograd.grad((found.diff(dim=0) if len(found) > 1 else found).sum(), seen)
    weight = gradient[0].abs().sum(0).cpu().numpy().astype(float)
    if weight.ndim == 2:
        return 0.0, _within(weight, middle)
    return _within(weight.sum((1, 2)), middle[:1]), _within(weight.sum(0), middle[1:])


def _within(weight: np.ndarray, middle: Sequence[int]) -> float:
    """The distance along the axes within which :data:`SHARE` of the weight lies."""
    offsets = [np.abs(np.arange(n) - m) for n, m in zip(weight.shape, middle, strict=True)]
    far = np.maximum.reduce(np.meshgrid(*offsets, indexing="ij"))
    within = np.bincount(far.ravel(), weight.ravel()).cumsum()
    return float(np.searchsorted(within, SHARE * within[-1])) if within[-1] > 0 else 0.0


def _settle(network: torch.nn.Module, seen: torch.Tensor) -> None:
    """Give fresh normalisation layers the statistics of this picture, then put the network in evaluation mode."""
    norms = [m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    fresh = [m for m in norms if m.num_batches_tracked is not None and int(m.num_batches_tracked) == 0]
    network.eval()
    if not fresh:
        return
    for module in fresh:
        module.train()
        module.momentum = None  # the statistics of what comes, not a running average; the network is thrown away
    with torch.no_grad():
        network(seen)
    network.eval()


def _config(job: Job) -> DeepConfig:
    return DeepConfig.from_json(dict(job.fields.get("config") or {}))
