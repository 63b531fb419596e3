"""``open_volume``: any source to a volume. Decides axes, channels, spacing and chunks; knows no file format."""

from __future__ import annotations

import difflib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError, VolumeWarning, VoxloopError
from voxloop.geometry import AXES, Spacing
from voxloop.given import shown
from voxloop.volumes import axes as axis_rules
from voxloop.volumes.arrays import contents_of
from voxloop.volumes.chunks import chunk_plan
from voxloop.volumes.formats.contract import Contents, Source
from voxloop.volumes.graphs import with_plain_roots
from voxloop.volumes.metadata import first_line, is_size, listening
from voxloop.volumes.picking import pick
from voxloop.volumes.remote import fetch, file_name, from_file_url, is_remote
from voxloop.volumes.view import SourceView, Viewed, dask_over, plain_dtype
from voxloop.volumes.volume import DIMS, make_volume, spacing_argument, spacing_of

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
        Stores behind a URL are read by the piece; files are fetched whole, once, into the user's cache.
    dataset
        Which array of a file with several; where it is missing and needed, the error lists them with their shapes.
    spacing, unit
        Voxel size: one number, or three in the order z, y, x (two for a plane). Overrides what the file says.
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
        ``attrs["spacing_from"]``, for each axis ``attrs["spacing_from_zyx"]``, and ``attrs["axes_from"]`` say whether
        the file states voxel size and axes (``"metadata"``), you did (``"given"``) or nobody (``"assumed"``);
        ``attrs["remarks"]`` lists what the volume does not show, and what of the file was not understood.

    Raises
    ------
    VolumeError
        What was given, what was expected, and the nearest thing that works. Reading voxels raises it too.

    Warns
    -----
    VolumeWarning
        Voxels of the file are not shown, or shown though they are missing: see ``attrs["remarks"]``.

    Examples
    --------
    >>> vl.open_volume(np.zeros((3, 64, 64)), spacing=(0.1, 0.02, 0.02)).shape
    (3, 64, 64)
    """
    _check_arguments(dataset, channels, timepoint, scale)
    if isinstance(channels, Integral):
        channels = int(channels)
    stated = spacing_argument(spacing, unit)
    wanted, origin = _find(source, Source(text=_text(source), dataset=dataset, scale=scale))
    contents = _contents_of_array(source, wanted) if origin is None else read_contents(wanted)
    arguments = _arguments(
        source=origin,
        dataset=dataset,
        spacing=spacing,
        unit=None if spacing is None else unit,
        channels=channels,
        timepoint=timepoint,
        scale=scale or None,
        chunks=None if isinstance(chunks, str) and chunks == "auto" else chunks,
        z_kind=z_kind,
        axes=axes,
    )
    with _sentences(wanted.text):
        volume = _assemble(
            contents,
            name=_name(source, wanted),
            text=wanted.text,
            spacing=stated,
            axes=axes,
            channels=channels,
            timepoint=timepoint,
            chunks=chunks,
            z_kind=z_kind,
            open_arguments=arguments,
        )
    for loss in contents.losses:
        warnings.warn(f"{wanted.text}: {loss}", VolumeWarning, stacklevel=2)
    return volume


def _check_arguments(dataset: object, channels: object, timepoint: object, scale: Any) -> None:
    """Raises VolumeError where an argument is of the wrong kind."""
    if not isinstance(scale, Integral) or isinstance(scale, bool) or scale < 0:
        raise VolumeError(f"scale={scale!r} is no whole number from 0, the finest")
    if dataset is not None and not isinstance(dataset, str):
        raise VolumeError(f"dataset={dataset!r} is no name")
    if timepoint is not None and (not isinstance(timepoint, Integral) or isinstance(timepoint, bool)):
        raise VolumeError(f"timepoint={timepoint!r} is no whole number")
    if channels is not None and not isinstance(channels, Integral) and not hasattr(channels, "__iter__"):
        raise VolumeError(f"channels={channels!r} must be a channel's name or number, or a list of these")


def _find(source: Any, wanted: Source) -> tuple[Source, str | list[str] | None]:
    """Where a source lies, and the argument that opens it again; None for an array, which lies nowhere."""
    if isinstance(source, str | Path):
        located = _locate(str(source), wanted)
        return located, str(source) if is_remote(str(source)) else located.text
    if isinstance(source, list | tuple) and source and all(isinstance(item, str | Path) for item in source):
        paths = [str(Path(item).expanduser().absolute()) for item in source]
        return replace(wanted, text=f"{len(paths)} pictures", items=tuple(paths)), paths
    return wanted, None


def _contents_of_array(array: Any, wanted: Source) -> Contents:
    contents = contents_of(array)
    if wanted.scale:
        raise VolumeError(f"an array has no scales; scale={wanted.scale} is not there")
    if wanted.dataset is not None:
        raise VolumeError(f"an array has no datasets; dataset={wanted.dataset!r} is not there")
    return contents


def _arguments(*, source: str | list[str] | None, **options: Any) -> dict[str, Any] | None:
    """With what :func:`open_volume` opens the source again, as JSON keeps it; None for an array."""
    if source is None:
        return None
    return {"source": source, **{name: _plain(value) for name, value in options.items() if value is not None}}


def as_volume(array: Any, *, like: DataArray | None = None, spacing: Any = None, **options: Any) -> DataArray:
    """A volume as it is; anything else through :func:`open_volume`, spacing taken from ``like`` where not given.

    Beside ``like``, an array is (z, y, x) or (c, z, y, x) as volumes are, however few columns it has.
    """
    from xarray import DataArray

    is_volume = isinstance(array, DataArray) and tuple(array.dims) in (DIMS, AXES) and "spacing_um" in array.attrs
    if isinstance(array, DataArray) and is_volume and spacing is None and hasattr(array.data, "dask"):
        return array
    if like is not None:
        spacing = spacing_of(like) if spacing is None else spacing
        plain = not isinstance(array, DataArray | str | Path) and getattr(array, "ndim", 0) in (3, 4)
        if plain and "axes" not in options:
            options["axes"] = "czyx"[-array.ndim :]
    return open_volume(array, spacing=spacing, **options)


def _assemble(
    contents: Contents,
    *,
    name: str,
    text: str,
    spacing: tuple[float | None, float, float] | None,
    axes: str | None,
    channels: int | str | Sequence[int | str] | None,
    timepoint: int | None,
    chunks: str | int | Sequence[int],
    z_kind: str | None,
    open_arguments: dict[str, Any] | None,
) -> DataArray:
    """A volume from what a format found: one lazy dask array, its axes sorted out by name."""
    axis_rules.check_dtype(contents.array.dtype, text)
    if z_kind not in (None, "space", "frame"):
        raise VolumeError(f"z_kind {z_kind!r} is neither 'space' nor 'frame'")
    if axes is not None and not isinstance(axes, str):
        raise VolumeError(f"axes={axes!r} is no text with a letter an axis, such as 'zyx'")
    letters = contents.axes if axes is None else axes.lower()
    named = axis_rules.resolve(letters, contents.array.shape, text)
    picked = pick(
        contents.array, named.letters, timepoint=timepoint, names=contents.channel_names, channels=channels, text=text
    )
    is_frames = picked.frames or contents.z_kind == "frame"
    kind = z_kind or ("frame" if is_frames else "space")
    array = _lazy(contents, picked.view, chunks, text)
    axes_from = "metadata" if named.stated else "assumed"
    if axes is not None:
        axes_from = "given"
    sizes, origins, doubts = _spacing(contents, named.letters, spacing, array.shape[-3], kind, text)
    volume = make_volume(
        array,
        spacing_um=sizes,
        origin_um=_origin(contents.origin_um, named.letters, spacing),
        name=name,
        source=text,
        channel_names=picked.channel_names,
        z_kind=kind,
        spacing_from=origins,
        axes_from=axes_from,
        remarks=[*contents.losses, *contents.remarks, *named.remarks, *picked.remarks, *doubts],
        open_arguments=open_arguments,
        scale_count=contents.scale_count,
    )
    if contents.labels:
        volume.attrs["kind"] = "labels"
    times = dict(zip(named.letters, contents.array.shape, strict=True)).get("t", 1)
    if times > 1 and picked.view.depth != "t":
        volume.attrs["timepoints"] = int(times)
    if contents.anatomy:
        volume.attrs["anatomy"] = contents.anatomy
    if contents.classes:
        volume.attrs["classes"] = json.dumps(list(contents.classes))
    return volume


def _lazy(contents: Contents, view: SourceView, chunks: str | int | Sequence[int], text: str) -> Any:
    """A dask array over what was found, seen as a volume."""
    array = contents.array
    kept = "stored" if contents.far and chunks == "auto" else chunks
    plan = chunk_plan(array.shape, view.axes, np.dtype(array.dtype).itemsize, own=contents.chunks, chunks=kept)
    blocks = view.arrange(plan, len(view.channels) if view.channel == "s" else 1, 1)
    if not hasattr(array, "dask"):
        return dask_over(Viewed(array, view, text), blocks)
    lazy = view.take(array, (slice(None),) * len(view.shape(tuple(array.shape))))
    lazy = with_plain_roots(lazy.astype(plain_dtype(lazy.dtype)))
    return lazy if chunks == "auto" else lazy.rechunk(blocks)


def _spacing(
    contents: Contents,
    letters: str,
    given: tuple[float | None, float, float] | None,
    depth: int,
    kind: str,
    text: str,
) -> tuple[Spacing, tuple[str, str, str], list[str]]:
    """Voxel size along z, y, x; where each number comes from; and remarks on those that the file states and are none.

    An axis that nobody speaks of takes the pixel size of the plane, and is called assumed.
    """
    if given is not None:
        z, y, x = given
        if z is None and depth > 1 and kind == "space":
            raise VolumeError(f"spacing has two numbers (y, x), but {text} has {depth} slices; give three (z, y, x)")
        if z is None:
            return (y, y, x), ("assumed", "given", "given"), []
        return (z, y, x), ("given", "given", "given"), []
    stated: dict[str, float] = {}
    remarks = []
    for key, size in contents.spacing_um.items():
        axis = key if isinstance(key, str) else letters[key]
        if axis not in AXES:
            continue
        if is_size(float(size)):
            stated[axis] = float(size)
        else:
            remarks.append(f"the voxel size along {axis}, {size}, is no size and counts as not stated")
    plane = stated.get("x") or stated.get("y") or 1.0
    sizes = {axis: stated.get(axis, plane) for axis in AXES}
    if not stated.keys() & {"x", "y"} and "z" in stated:
        sizes["z"] = stated["z"]
    certain = stated.keys() - set(contents.assumed)
    z_from, y_from, x_from = ("metadata" if axis in certain else "assumed" for axis in AXES)
    return (sizes["z"], sizes["y"], sizes["x"]), (z_from, y_from, x_from), remarks


def _origin(stated: Mapping[str | int, float], letters: str, spacing: object) -> Spacing:
    """The file's origin, unless the caller says that the file's units are wrong."""
    if spacing is not None:
        return 0.0, 0.0, 0.0
    named = {key if isinstance(key, str) else letters[key]: float(start) for key, start in stated.items()}
    z, y, x = (named.get(axis, 0.0) if np.isfinite(named.get(axis, 0.0)) else 0.0 for axis in AXES)
    return z, y, x


def read_contents(source: Source) -> Contents:
    """What the format of a source finds in it: VolumeError, and never what a library raises.

    What the libraries complain of meanwhile goes to the remarks.
    """
    from voxloop.volumes.formats.registry import format_of

    complaints: list[str] = []
    with _sentences(source.text), listening(complaints):
        reader = format_of(source)
        if not reader.parts and source.dataset is not None:
            raise VolumeError(f"{source.text} has no datasets, no {reader.name} file has; leave dataset= out")
        if not reader.parts and source.scale:
            raise VolumeError(f"{source.text} has no scales, no {reader.name} file has; leave scale= out")
        contents = reader.read(source)
    return replace(contents, remarks=[*contents.remarks, *complaints])


@contextmanager
def _sentences(text: str) -> Iterator[None]:
    """Whatever a library raises for a damaged source becomes a VolumeError that names it."""
    try:
        yield
    except VoxloopError:
        raise
    except Exception as error:  # every library raises its own kinds
        raise VolumeError(
            f"{text} cannot be read ({first_line(error)}); is it complete, and what its name says?"
        ) from error


def _locate(text: str, source: Source) -> Source:
    """The source with its absolute path. Raises VolumeError with the nearest name where nothing is there."""
    if not text.strip():
        raise VolumeError("an empty name cannot be opened; give the path of a file or folder")
    if text.lower().startswith("file://"):
        text = from_file_url(text)
    if is_remote(text):
        return _remote(text, source)
    try:
        path = Path(text).expanduser().absolute()
        if path.exists():
            return replace(source, text=str(path), path=path)
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a NUL, a user who is none
        raise VolumeError(f"{text[:200]!r} is no name of a file or folder ({first_line(error)})") from error
    if path.is_symlink():
        raise VolumeError(f"{text} is a link to {path.readlink()}, where nothing is")
    raise VolumeError(f"{text} does not exist; {_nearest_path(path)}")


def _remote(url: str, source: Source) -> Source:
    """An address: of a store, which is read by the piece, or of a file, which is fetched."""
    from voxloop.volumes.formats.registry import is_file_name

    if not is_file_name(file_name(url)):
        return replace(source, text=url)
    path = fetch(url)
    return replace(source, text=str(path), path=path)


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
    """``value`` as JSON keeps it. Raises VolumeError for what it cannot keep."""
    try:
        return json.loads(json.dumps(value, default=lambda other: np.asarray(other).tolist()))
    except (TypeError, ValueError, RecursionError) as error:
        raise VolumeError(f"{shown(value)} is nothing that a picture can be opened with") from error
