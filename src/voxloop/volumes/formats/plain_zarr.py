"""Zarr arrays of format 2 and 3, local or anywhere fsspec reaches, and how a zarr source is recognised and opened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats.contract import Contents, Format, Source
from voxloop.volumes.formats.hdf5 import choose, describe
from voxloop.volumes.metadata import Notes, coordinate_step, first_line, text_of

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

    _check_heads(source)
    try:
        if source.path is None:
            return _open_far(source.text)
        if source.path.is_file():
            return zarr.open(zarr.storage.ZipStore(source.path, mode="r"), mode="r")
        # a store by its path, since a text with "::" in it would be taken for a chain of addresses
        return zarr.open(zarr.storage.LocalStore(source.path, read_only=True), mode="r")
    except VolumeError:
        raise
    except ImportError as error:
        raise VolumeError(f"{source.text} needs another package to be reached: {error}") from error
    except Exception as error:  # stores and codecs raise their own kinds
        hint = "is the address right?" if source.path is None else "is it complete?"
        raise VolumeError(f"{source.text} cannot be read as zarr ({first_line(error)}); {hint}") from error


def _open_far(url: str) -> Any:
    """The newer format first, whose one head says all; without saying which, five are asked for."""
    import zarr

    from voxloop.volumes.far_store import store_at

    store = store_at(url)
    try:
        return zarr.open(store, mode="r", zarr_format=3)
    except FileNotFoundError:
        pass
    try:
        return zarr.open(store, mode="r", zarr_format=2)
    except FileNotFoundError as error:
        raise FileNotFoundError("nothing is there: neither zarr.json nor .zgroup nor .zarray") from error


def _check_heads(source: Source) -> None:
    """Raise VolumeError where the head of a store here, or of an array in it, is a pipe: zarr would wait for good."""
    if source.path is None or not source.path.is_dir():
        return
    folders = [source.path, *(one for one in source.path.iterdir() if one.is_dir())]
    for head in (folder / marker for folder in folders for marker in _MARKERS):
        if head.exists() and not head.is_file():
            raise VolumeError(f"{source.text} cannot be read as zarr: {head.name} is no plain file")


def find_node(root: Any, source: Source) -> Any:
    """The group or array that ``source.dataset`` names below ``root``; ``root`` itself where it names none."""
    if source.dataset is None:
        return root
    if not hasattr(root, "members"):
        raise VolumeError(f"{source.text} is a single array; dataset={source.dataset!r} is not there")
    try:
        return root[source.dataset.strip("/")]
    except KeyError:
        choose(source, _arrays(root))
        raise VolumeError(f"{source.text} has no dataset {source.dataset!r}") from None


def read(source: Source) -> Contents:
    """The array that ``source.dataset`` names, or the only one."""
    root = open_zarr(source)
    array = find_node(root, source)
    group: Any = root if hasattr(root, "members") else None
    above = (source.dataset or "").strip("/").rpartition("/")[0]
    if group is not None and above:
        group = root[above]
    if hasattr(array, "members"):
        inner = Source(text=source.text if source.dataset is None else f"{source.text}/{source.dataset}")
        group = array
        array = array[choose(inner, _arrays(array))]
    if source.scale:
        raise VolumeError(f"{source.text} is no multiscale image; scale={source.scale} is not there")
    notes = Notes()
    attributes = dict(array.attrs)
    names = notes.attempt("the names of its dimensions", lambda: _names(array, attributes), [""] * array.ndim)
    steps = notes.attempt("the coordinates beside it", lambda: _coordinates(group, names, notes), {})
    found = describe(array, attributes, names, steps, notes, tuple(array.chunks))
    return replace(found, far=source.path is None)


def _names(array: Any, attributes: dict[str, Any]) -> list[str]:
    names = getattr(array.metadata, "dimension_names", None) or attributes.get("_ARRAY_DIMENSIONS") or []
    return [str(name or "") for name in names]


def _coordinates(group: Any, names: list[str], notes: Notes) -> dict[int, tuple[float, float]]:
    """Step and start of dimensions for which an array of coordinates lies in the same group, as xarray writes them."""
    steps: dict[int, tuple[float, float]] = {}
    if group is None:
        return steps
    for place, name in enumerate(names):
        if not name or name not in group:
            continue
        axis = group[name]
        if getattr(axis, "ndim", 0) != 1 or np.dtype(axis.dtype).kind not in "iuf" or "units" not in axis.attrs:
            continue
        step = coordinate_step(axis[:], text_of(axis.attrs["units"]), name, notes)
        if step is not None:
            steps[place] = step
    return steps


def _arrays(group: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of all arrays below a group that could be pictures."""
    try:
        members = group.members(max_depth=None)
    except (NotImplementedError, OSError):  # http stores cannot be listed
        return {}
    return {name: tuple(node.shape) for name, node in members if hasattr(node, "shape") and len(node.shape) >= 2}


FORMAT = Format(name="zarr", suffixes=(".zarr", ".zarr.zip"), accepts=is_zarr, read=read)
