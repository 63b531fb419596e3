"""``open_volume``: any source to a volume. Decides axes, channels, spacing and chunks; knows no file format."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import AXES, Spacing
from voxloop.volumes import axes as axis_rules
from voxloop.volumes.arrays import found_in
from voxloop.volumes.chunks import chunk_plan
from voxloop.volumes.formats.contract import Found, Source
from voxloop.volumes.view import View, Viewed, dask_over, plain_dtype
from voxloop.volumes.volume import make_volume, spacing_argument

if TYPE_CHECKING:
    from xarray import DataArray


def open_volume(
    source: Any,
    *,
    dataset: str | None = None,
    spacing: float | Sequence[float] | None = None,
    unit: str = "micrometer",
    channels: int | str | Sequence[int | str] | None = None,
    timepoint: int | None = None,
    scale: int = 0,
    chunks: str | int | Sequence[int] = "auto",
    z_kind: str | None = None,
    axes: str | None = None,
) -> DataArray:
    """Open any stack as a lazy volume in micrometres. Reads metadata, computes nothing.

    Parameters
    ----------
    source
        Path or URL of a TIFF, OME-Zarr, zarr, HDF5, NetCDF, MRC, NumPy, NIfTI or video file; a folder of pictures, a
        list of their paths or a ``.txt``/``.json`` file with such a list; or an array, a dask array, a DataArray.
    dataset
        Which array of a file with several; where it is missing and needed, the error lists them with their shapes.
    spacing, unit
        Voxel size: one number, or three in the order z, y, x. Overrides what the file says.
    channels
        Indices or names of the channels to keep; one alone drops the channel axis.
    timepoint
        Which of several volumes over time.
    scale
        Resolution of a multiscale source, 0 the finest.
    chunks
        ``"auto"`` (8 to 64 MB, whole planes where they fit, multiples of the file's own), or voxels along z, y, x.
    z_kind
        ``"space"`` or ``"frame"`` where you know better: pictures of one size and videos are frames unless you say.
    axes
        A letter an axis (``t c z y x``, ``s`` for colours) where the source does not say or is wrong.

    Returns
    -------
    DataArray
        dask-backed, dims ``("z", "y", "x")`` or ``("c", "z", "y", "x")``, coordinates of voxel centres in micrometres.

    Raises
    ------
    VolumeError
        What was given, what was expected, and the nearest thing that works.
    """
    wanted = Source(text=_text(source), dataset=dataset, scale=scale)
    origin: str | list[str] | None = None
    if isinstance(source, str | Path):
        wanted = _locate(str(source), wanted)
        origin = wanted.text
        found = _read(wanted)
    elif isinstance(source, list | tuple) and source and all(isinstance(item, str | Path) for item in source):
        origin = [str(Path(item).expanduser().absolute()) for item in source]
        found = _read(replace(wanted, text=f"{len(origin)} pictures", items=tuple(origin)))
    else:
        found = found_in(source)
        if scale:
            raise VolumeError(f"an array has no scales; scale={scale} is not there")
    given = {
        "dataset": dataset,
        "spacing": spacing,
        "unit": unit if spacing is not None else None,
        "channels": channels,
        "timepoint": timepoint,
        "scale": scale or None,
        "chunks": chunks if chunks != "auto" else None,
        "z_kind": z_kind,
        "axes": axes,
    }
    arguments = {name: _plain(value) for name, value in given.items() if value is not None}
    return _assemble(
        found if axes is None else replace(found, axes=axes.lower()),
        name=_name(source, wanted),
        text=wanted.text,
        spacing=spacing_argument(spacing, unit),
        channels=channels,
        timepoint=timepoint,
        chunks=chunks,
        z_kind=z_kind,
        open_arguments=None if origin is None else {"source": origin, **arguments},
    )


def _assemble(
    found: Found,
    *,
    name: str,
    text: str,
    spacing: Spacing | None,
    channels: int | str | Sequence[int | str] | None,
    timepoint: int | None,
    chunks: str | int | Sequence[int],
    z_kind: str | None,
    open_arguments: dict[str, Any] | None,
) -> DataArray:
    """A volume from what a format found: one lazy dask array, its axes sorted out by name."""
    axis_rules.check_dtype(found.array.dtype, text)
    axes = axis_rules.resolve_axes(found.axes, found.array.shape, text)
    picked = axis_rules.sort_axes(
        found.array, axes, timepoint=timepoint, names=found.channel_names, channels=channels, text=text
    )
    kind = z_kind or ("frame" if picked.frames else found.z_kind)
    if kind not in ("space", "frame"):
        raise VolumeError(f"z_kind {kind!r} is neither 'space' nor 'frame'")
    stated = spacing or _complete(found.spacing_um, frames=picked.frames)
    volume = make_volume(
        _lazy(found, picked.view, chunks),
        spacing_um=stated or (1.0, 1.0, 1.0),
        origin_um=_origin(found.origin_um, spacing),
        name=name,
        source=text,
        channel_names=picked.channel_names,
        z_kind=kind,
        spacing_from="argument" if spacing else "metadata" if stated else "assumed",
        open_arguments=open_arguments,
        scale_count=found.scale_count,
    )
    if found.labels:
        volume.attrs["kind"] = "labels"
    return volume


def _lazy(found: Found, view: View, chunks: str | int | Sequence[int]) -> Any:
    """A dask array over what was found, seen as a volume."""
    array = found.array
    plan = chunk_plan(array.shape, view.axes, np.dtype(array.dtype).itemsize, own=found.chunks, chunks=chunks)
    blocks = view.arrange(plan, len(view.channels) if view.channel == "s" else 1, 1)
    if not hasattr(array, "dask"):
        return dask_over(Viewed(array, view), blocks)
    lazy = view.take(array, (slice(None),) * len(view.shape(tuple(array.shape))))
    lazy = lazy.astype(plain_dtype(lazy.dtype))
    return lazy if chunks == "auto" else lazy.rechunk(blocks)


def _complete(stated: Mapping[str, float], *, frames: bool) -> Spacing | None:
    """Spacing where the file states at least the plane's; a missing axis takes the plane's pixel size."""
    plane = stated.get("x") or stated.get("y")
    if plane is None:
        return None
    z, y, x = (stated.get(axis, plane) for axis in AXES)
    return (plane, y, x) if frames else (z, y, x)


def _origin(stated: Mapping[str, float], spacing: Spacing | None) -> Spacing:
    """The file's origin, unless the caller says that the file's units are wrong."""
    if spacing is not None:
        return 0.0, 0.0, 0.0
    z, y, x = (stated.get(axis, 0.0) for axis in AXES)
    return z, y, x


def _read(source: Source) -> Found:
    from voxloop.volumes.formats.registry import format_of

    return format_of(source).read(source)


def _locate(text: str, source: Source) -> Source:
    """The source with its absolute path. Raises VolumeError with the nearest name where nothing is there."""
    if not text.strip():
        raise VolumeError("an empty name cannot be opened; give the path of a file or folder")
    if "://" in text and not text.startswith("file://"):
        return replace(source, text=text)
    path = Path(text.removeprefix("file://")).expanduser().absolute()
    if path.exists():
        return replace(source, text=str(path), path=path)
    raise VolumeError(f"{text} does not exist; {_nearest_path(path)}")


def _nearest_path(path: Path) -> str:
    parent = path.parent
    while not parent.exists():
        parent = parent.parent
    if parent != path.parent:
        return f"the folder {path.parent} is missing too; the last one that is there is {parent}"
    try:
        names = sorted(item.name for item in parent.iterdir() if not item.name.startswith("."))
    except OSError as error:
        return f"and {parent} cannot be listed ({error.strerror})"
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {parent / close[0]}?"
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"in {parent} there are {listed}" if names else f"{parent} is empty"


def _text(source: Any) -> str:
    return str(source) if isinstance(source, str | Path) else f"{type(source).__name__} given"


def _name(source: Any, wanted: Source) -> str:
    if isinstance(source, str | Path):
        base = wanted.text.rstrip("/").rsplit("/", 1)[-1]
        stem = base.split(".")[0] or base
        return f"{stem}-{wanted.dataset.strip('/').replace('/', '-')}" if wanted.dataset else stem
    return str(getattr(source, "name", None) or "volume").rsplit("/", 1)[-1] or "volume"


def _plain(value: Any) -> Any:
    """``value`` as JSON keeps it."""
    return json.loads(json.dumps(value, default=lambda other: np.asarray(other).tolist()))
