"""Masks from and for other programs: TIFF, zarr, HDF5, NumPy, ImageJ ROI sets. Asks what 0 means; never guesses it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, VolumeError
from voxloop.geometry import Box

if TYPE_CHECKING:
    from voxloop.store.drawing import Edit
    from voxloop.store.labels import Labels

ZERO = ("background", "unlabelled")
_ROIS = (".roi", ".zip")


def load(
    labels: Labels,
    source: Any,
    zero: str | None = None,
    values: Mapping[int, int | str] | None = None,
    *,
    region: object = None,
    overwrite: bool = True,
    **arguments: Any,
) -> Edit:
    """Bring in a mask as one undoable edit.

    Parameters
    ----------
    source
        A TIFF, zarr, OME-Zarr, HDF5, NumPy... path, an ImageJ ROI set (``.roi``, ``.zip``), or an array.
    zero
        What 0 means in the mask: ``"background"`` (those voxels become the background class) or ``"unlabelled"`` (they
        stay as they are). Must be said where the mask holds zeros.
    values
        Value in the mask -> class (name or value). Not given: values that are classes stay what they are; else, as many
        values as there are foreground classes are taken in order, so that a mask of 0 and 255 fills the only one.
        Instance numbers are kept, unless they are values of classes; then all are raised.
    region
        Where the mask lies, if it is not of the image's shape.
    overwrite
        False: keep what is labelled already.
    **arguments
        What :func:`open_volume` takes, such as ``dataset``.

    Raises
    ------
    LabelError
        The mask does not fit, its values are not understood, or ``zero`` was not said; nothing has changed.
    VolumeError
        The file cannot be opened.
    """
    if isinstance(source, str | Path) and str(source).lower().endswith(_ROIS):
        from voxloop.store.rois import load_rois

        return load_rois(labels, Path(source), zero, overwrite=overwrite, **arguments)
    if zero not in (None, *ZERO):
        raise LabelError(f"zero={zero!r} is neither 'background' nor 'unlabelled'")
    mask = _opened(source, labels, arguments)
    box = _fitted(labels, mask, region)
    found = _values_in(mask, box, labels.chunks)
    table = _table(labels, found, zero, values)
    keys = np.array(sorted(table), dtype=np.int64)
    results = np.array([table[int(key)] for key in keys], dtype=labels.dtype)

    def proposal(part: Box, current: np.ndarray) -> np.ndarray:
        theirs = np.asarray(mask[part.within(box).slices]).astype(np.int64, copy=False)
        new = results[np.searchsorted(keys, theirs)]
        return np.where((new > 0) if overwrite else (new > 0) & (current == 0), new, current)

    said = {"source": _named(source), "zero": zero, "values": {str(k): int(v) for k, v in table.items()}}
    return labels.edit("load", box, proposal, said if len(table) <= 256 else {**said, "values": None})


def save(labels: Labels, path: Path, *, overwrite: bool = False) -> Path:
    """Write labels for other programs; the suffix decides: .tif, .ome.tif, .zarr, .h5, .npy, or .zip (ImageJ ROI set).

    Block by block, so that it does not matter how large the volume is. Raises LabelError, VolumeError.
    """
    path = path.expanduser()
    suffix = path.suffix.lower()
    if path.exists() and not overwrite:
        raise LabelError(f"{path} exists; choose another name or say overwrite=True")
    if suffix == ".zip":
        from voxloop.store.rois import save_rois

        return save_rois(labels, path)
    if suffix in (".h5", ".hdf5"):
        return _save_hdf5(labels, path)
    if suffix == ".npy":
        return _save_npy(labels, path)
    if suffix in (".tif", ".tiff", ".zarr"):
        from voxloop.volumes import save_volume

        return save_volume(labels.as_volume(), path, kind="labels", overwrite=overwrite)
    raise LabelError(f"{path.name} must end in .tif, .ome.tif, .zarr, .h5, .npy or .zip (ImageJ ROI set)")


def _opened(source: Any, labels: Labels, arguments: dict[str, Any]) -> Any:
    """Something with a shape (z, y, x), a type, and slices that can be read."""
    mask: Any
    if isinstance(source, np.ndarray):
        mask = source[None] if source.ndim == 2 else source
    else:
        from voxloop.volumes import open_volume

        mask = open_volume(source, **arguments)
        if mask.ndim == 4:
            raise VolumeError(f"{_named(source)} has {mask.shape[0]} channels; say which is the mask: channels=0")
    if np.dtype(mask.dtype).kind not in "bui":
        raise LabelError(f"a mask holds whole numbers, this one is {mask.dtype}; convert it or threshold it first")
    return mask


def _fitted(labels: Labels, mask: Any, region: object) -> Box:
    box = Box.of(region, labels.shape)
    if tuple(mask.shape) != box.shape:
        what = "the image" if region is None else "the region"
        raise LabelError(
            f"the mask has shape {tuple(mask.shape)}, {what} {box.shape} (z, y, x); "
            "a part goes in with region=(slice, slice, slice)"
        )
    return box


def _values_in(mask: Any, box: Box, chunks: tuple[int, int, int]) -> list[int]:
    values: set[int] = set()
    for part in box.blocks(chunks):
        values.update(np.unique(np.asarray(mask[part.within(box).slices])).tolist())
    return sorted(int(value) for value in values)


def _table(
    labels: Labels, found: list[int], zero: str | None, values: Mapping[int, int | str] | None
) -> dict[int, int]:
    """Mask value -> label value."""
    table: dict[int, int] = {}
    if 0 in found and 0 not in (values or {}):
        table[0] = _meaning_of_zero(labels, zero)
    given = [value for value in found if value != 0 or 0 in (values or {})]
    if labels.level.kind == "instances":
        reserved = max((item.value for item in labels.level.classes), default=0)
        if values is not None:
            raise LabelError("values= names classes; instance numbers come as they are")
        if given and given[0] < 0:
            raise LabelError("instance numbers must not be negative")
        raised = reserved if any(value <= reserved for value in given) else 0
        return table | {value: value + raised for value in given}
    if values is not None:
        missing = [value for value in given if value not in values]
        if missing:
            raise LabelError(f"values= says nothing about {_listed(missing)} in the mask; add them, or map them to 0")
        return table | {value: 0 if values[value] == 0 else labels.paintable(values[value]) for value in given}
    return table | _guessed(labels, given, zero)


def _meaning_of_zero(labels: Labels, zero: str | None) -> int:
    if zero is None:
        raise LabelError(
            "the mask holds zeros: say what they mean, zero='background' (all of it was looked at, 0 is background) or "
            "zero='unlabelled' (nobody looked there)"
        )
    if zero == "unlabelled":
        return 0
    for item in labels.level.classes:
        if item.background:
            return item.value
    name = labels.level.name
    raise LabelError(
        f"level {name!r} has no background class; add one with ws.levels.add_class({name!r}, 'background'), or use "
        "zero='unlabelled'"
    )


def _guessed(labels: Labels, given: list[int], zero: str | None) -> dict[int, int]:
    classes = labels.level.classes
    foreground = [item.value for item in classes if not item.background]
    allowed = foreground if zero == "background" else [item.value for item in classes]
    if set(given) <= set(allowed):
        return {value: value for value in given}
    if len(given) == len(foreground):
        return dict(zip(given, foreground, strict=True))
    example = f"{{{given[0]}: {next((c.name for c in classes if not c.background), 'name')!r}, ...}}"
    raise LabelError(
        f"the mask holds {_listed(given)}, level {labels.level.name!r} has "
        f"{', '.join(f'{c.value} {c.name!r}' for c in classes) or 'no classes'}; say which is which: values={example}"
    )


def _listed(values: list[int]) -> str:
    shown = ", ".join(map(str, values[:6]))
    return f"{shown}, ... ({len(values)} values)" if len(values) > 6 else shown


def _named(source: Any) -> str:
    if isinstance(source, str | Path):
        return str(source)
    return f"array {tuple(source.shape)}" if hasattr(source, "shape") else type(source).__name__


def _save_hdf5(labels: Labels, path: Path) -> Path:
    """Dataset ``labels`` with ``element_size_um`` (z, y, x), as ilastik expects it; gzip, empty chunks absent."""
    import h5py

    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    chunks = tuple(min(c, n) for c, n in zip(labels.chunks, labels.shape, strict=True))
    try:
        with h5py.File(partial, "w") as file:
            data = file.create_dataset(
                "labels", shape=labels.shape, dtype=labels.dtype, chunks=chunks, compression="gzip", compression_opts=1
            )
            data.attrs["element_size_um"] = labels.spacing_um
            data.attrs["axes"] = "zyx"
            data.attrs["classes"] = [f"{item.value}: {item.name}" for item in labels.level.classes]
            for touched in labels.touched():
                data[touched.region] = labels.read(touched.box)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _save_npy(labels: Labels, path: Path) -> Path:
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        data = np.lib.format.open_memmap(partial, mode="w+", dtype=labels.dtype, shape=labels.shape)
        for touched in labels.touched():
            data[touched.region] = labels.read(touched.box)
        data.flush()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
