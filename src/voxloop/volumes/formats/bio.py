"""Microscope files through the readers of bioio (CZI, LIF, ND2 and whatever reader is installed). Knows no format."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from voxloop.errors import VolumeError, unknown
from voxloop.volumes.formats.contract import Contents, Format, Source
from voxloop.volumes.formats.extra import needed
from voxloop.volumes.metadata import Notes, length_unit, list_some

#: suffix and the package whose reader bioio asks for it
READERS = {
    ".czi": "bioio-czi", ".lif": "bioio-lif", ".nd2": "bioio-nd2", ".dv": "bioio-dv", ".sldy": "bioio-sldy",
    ".vsi": "bioio-vsi", ".qptiff": "bioio-qptiff", ".oib": "bioio-bioformats", ".oif": "bioio-bioformats",
    ".zvi": "bioio-bioformats", ".lsm5": "bioio-bioformats", ".ets": "bioio-bioformats", ".stk": "bioio-bioformats",
    ".xlif": "bioio-lif", ".lof": "bioio-lif",
}  # fmt: skip


class Computed:
    """The part of a dask array that is sliced, computed by whoever slices it."""

    def __init__(self, lazy: Any) -> None:
        self._lazy = lazy
        self.shape, self.dtype, self.ndim = tuple(lazy.shape), np.dtype(lazy.dtype), lazy.ndim

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(self._lazy[key].compute(scheduler="synchronous"))


def is_bio_image(given: Any) -> bool:
    """Whether an object is a picture of bioio, or of one of its readers."""
    return all(hasattr(given, name) for name in ("physical_pixel_sizes", "dask_data", "scenes", "channel_names"))


def contents_of(image: Any) -> Contents:
    """What a picture of bioio is, at the scene that it is set to."""
    notes = Notes()
    lazy = image.dask_data
    axes = image.dims.order.lower()
    sizes = notes.attempt("the voxel size", lambda: _sizes(image, notes), {})
    names = notes.attempt("the names of channels", lambda: [str(name) for name in image.channel_names or ()], [])
    chunks = tuple(max(part) for part in lazy.chunks)
    scenes = notes.attempt("its scenes", lambda: list(image.scenes), [])
    losses = []
    if len(scenes) > 1:
        others = [name for name in scenes if name != image.current_scene]
        losses.append(f"the scene {image.current_scene!r} is shown, {list_some(others, 4)} are not; dataset= names one")
    return Contents(
        array=Computed(lazy),
        axes=axes,
        spacing_um=sizes,
        channel_names=names if "c" in axes else None,
        chunks=chunks,
        scale_count=len(notes.attempt("its resolutions", lambda: image.resolution_levels, (0,))),
        remarks=notes.remarks,
        losses=losses,
    )


def _sizes(image: Any, notes: Notes) -> dict[str | int, float]:
    """Micrometres by axis. A reader that names no unit means micrometres, as all of them do."""
    sizes: dict[str | int, float] = {}
    properties = notes.attempt("the units of its dimensions", lambda: image.dimension_properties, None)
    for axis, value in zip("zyx", image.physical_pixel_sizes, strict=True):
        unit = getattr(getattr(properties, axis.upper(), None), "unit", None)
        um = length_unit(str(unit)) if unit is not None else 1.0
        size = notes.size(f"the voxel size along {axis}", value, um)
        if size is not None:
            sizes[axis] = size
    return sizes


def read(source: Source) -> Contents:
    """The scene that ``source.dataset`` names, or the only one, at the resolution ``source.scale``."""
    suffix = _suffix(source)
    package = READERS.get(suffix, "bioio")
    bioio = needed("bioio", f"{suffix} ")
    try:
        image = bioio.BioImage(str(source.path))
        scenes = [str(scene) for scene in image.scenes]
    except Exception as error:  # every reader raises its own kinds
        if type(error).__name__ == "UnsupportedFileFormatError":
            raise VolumeError(
                f"{source.text}: no installed reader of bioio opens it; pip install {package} brings the one for "
                f"{suffix}"
            ) from error
        raise
    _set_scene(image, source, scenes)
    levels = tuple(image.resolution_levels)
    if source.scale >= len(levels):
        raise VolumeError(f"{source.text} has {len(levels)} scales; scale={source.scale} is not one of them")
    if source.scale:
        image.set_resolution_level(levels[source.scale])
    contents = contents_of(image)
    losses = [] if source.dataset is not None else contents.losses
    return Contents(
        array=contents.array,
        axes=contents.axes,
        spacing_um=_scaled(contents, image, source.scale),
        channel_names=contents.channel_names,
        chunks=contents.chunks,
        scale_count=len(levels),
        remarks=contents.remarks,
        losses=losses,
    )


def _set_scene(image: Any, source: Source, scenes: list[str]) -> None:
    if source.dataset is None:
        if len(scenes) > 1:
            shapes = {scene: _shape(image, at) for at, scene in enumerate(scenes)}
            listed = "; ".join(f"{name!r} {shape}" for name, shape in shapes.items())
            raise VolumeError(f"{source.text} holds several datasets; name one with dataset=: {listed}")
        return
    if source.dataset not in scenes:
        raise VolumeError(f"{unknown('dataset', source.dataset, scenes)} in {source.text}")
    image.set_scene(scenes.index(source.dataset))


def _shape(image: Any, scene: int) -> tuple[int, ...]:
    image.set_scene(scene)
    return tuple(image.dims.shape)


def _scaled(contents: Contents, image: Any, scale: int) -> Mapping[str | int, float]:
    """Readers state the size of the finest resolution for all of them; the shapes say how much coarser one is."""
    if not scale:
        return contents.spacing_um
    coarse = dict(zip(contents.axes, contents.array.shape, strict=True))
    sizes_now = {str(axis): size for axis, size in contents.spacing_um.items()}
    image.set_resolution_level(image.resolution_levels[0])
    fine = dict(zip(image.dims.order.lower(), image.dims.shape, strict=True))
    sizes_finest = _sizes(image, Notes())
    return {
        axis: size * fine[axis] / coarse[axis] if size == sizes_finest.get(axis) else size
        for axis, size in sizes_now.items()
    }


def _suffix(source: Source) -> str:
    name = source.text.lower().rstrip("/").rsplit("/", 1)[-1]
    return f".{name.rsplit('.', 1)[-1]}" if "." in name else ""


def _accepts(source: Source) -> bool:
    """By name; a file of another name where bioio has a reader for it. Asked last, so that nothing else reads it."""
    if source.items is not None or source.path is None or source.path.is_dir():
        return False
    suffix = _suffix(source)
    if suffix in READERS:
        return True
    if not suffix or find_spec("bioio") is None:
        return False
    from bioio.plugins import get_plugins

    return any(suffix == f".{extension.lower().lstrip('.')}" for extension in get_plugins(use_cache=True))


FORMAT = Format(name="bioio", suffixes=tuple(READERS), accepts=_accepts, read=read)
