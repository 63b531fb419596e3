"""Zarr arrays of format 2 and 3, local or anywhere fsspec reaches, and how a zarr source is recognised and opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from voxloop.errors import VolumeError
from voxloop.volumes.formats.contract import Format, Found, Source
from voxloop.volumes.formats.hdf5 import choose, element_size_um

_MARKERS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")


def is_zarr(source: Source) -> bool:
    """Whether the source is a zarr store, by its marker files; remote ones by their name."""
    if source.items is not None:
        return False
    if source.path is None:
        return "://" in source.text
    if source.path.is_file():
        return source.text.lower().endswith(".zarr.zip")
    return any((source.path / marker).exists() for marker in _MARKERS)


def open_zarr(source: Source) -> Any:
    """The root group or array, read-only. Raises VolumeError."""
    import zarr

    try:
        if source.path is not None and source.path.is_file():
            return zarr.open(zarr.storage.ZipStore(source.path, mode="r"), mode="r")
        return zarr.open(str(source.path or source.text), mode="r")
    except ImportError as error:
        raise VolumeError(f"{source.text} needs another package to be reached: {error}") from error
    except Exception as error:  # stores and codecs raise their own kinds
        text = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise VolumeError(f"{source.text} cannot be read as zarr ({text}); is the address right?") from error


def wanted_node(root: Any, source: Source) -> Any:
    """The group or array that ``source.dataset`` names below ``root``; ``root`` itself where it names none."""
    if source.dataset is None or not hasattr(root, "members"):
        return root
    try:
        return root[source.dataset.strip("/")]
    except KeyError:
        choose(source, _arrays(root))
        raise VolumeError(f"{source.text} has no dataset {source.dataset!r}") from None


def read(source: Source) -> Found:
    """The array that ``source.dataset`` names, or the only one."""
    root = open_zarr(source)
    array = wanted_node(root, source)
    if hasattr(array, "members"):
        inner = Source(text=source.text if source.dataset is None else f"{source.text}/{source.dataset}")
        array = array[choose(inner, _arrays(array))]
    if source.scale:
        raise VolumeError(f"{source.text} is no multiscale image; scale={source.scale} is not there")
    names = list(getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or [])
    letters = [str(name).lower() for name in names]
    known = len(letters) == array.ndim and all(letter in tuple("tczyxs") for letter in letters)
    return Found(
        array=array,
        axes="".join(letters) if known else "?" * array.ndim,
        spacing_um=element_size_um(dict(array.attrs), array.ndim),
        chunks=tuple(array.chunks),
    )


def _arrays(group: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of all arrays below a group that could be pictures."""
    try:
        members = group.members(max_depth=None)
    except (NotImplementedError, OSError):  # http stores cannot be listed
        return {}
    return {name: tuple(node.shape) for name, node in members if hasattr(node, "shape") and len(node.shape) >= 2}


def local_zarr_root(path: Path) -> Path | None:
    """The store that a path below it lies in: ``image.zarr/0`` is found from ``image.zarr``."""
    return next((parent for parent in path.parents if parent.suffix == ".zarr" and parent.is_dir()), None)


FORMAT = Format(name="zarr", suffixes=(".zarr", ".zarr.zip"), accepts=is_zarr, read=read)
