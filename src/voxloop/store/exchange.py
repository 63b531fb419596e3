"""Masks and outlines from and for other programs. Asks what 0 means; never guesses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, VolumeError
from voxloop.geometry import Box
from voxloop.given import flag, path_of
from voxloop.store.ilastik import is_project
from voxloop.store.mask_values import ZERO, MaskValue, Values, meanings, table_for
from voxloop.store.webknossos import PaintedVolume, is_annotation, painted

if TYPE_CHECKING:
    from voxloop.store.edit import Edit
    from voxloop.store.label_contract import OpenLabels

_ROIS = (".roi", ".zip")
_ANNOTATIONS = (".json", ".geojson")
_SKELETONS = (".nml",)
_ARRAYS = (".tif", ".tiff", ".zarr", ".h5", ".hdf5", ".nc", ".npy", ".mrc", ".nii", ".nii.gz")


def load(
    labels: OpenLabels,
    source: Any,
    zero: str | None = None,
    values: Values | dict[str, int | str | None] | None = None,
    *,
    region: object = None,
    overwrite: bool = True,
    **arguments: Any,
) -> Edit:
    """Bring in a mask, or outlines, as one undoable edit.

    Parameters
    ----------
    source
        A TIFF, zarr, OME-Zarr, HDF5, NumPy... path, or an array; an ImageJ ROI set (``.roi``, ``.zip``); annotations of
        COCO or labelme (``.json``); GeoJSON as QuPath writes it (``.geojson``, ``.json``); a project of ilastik
        (``.ilp``); a download of webKnossos, painted (``.zip``) or a skeleton (``.nml``).
    zero
        What 0 means in the mask: ``"background"`` (those voxels become the background class) or ``"unlabelled"`` (they
        stay as they are). Must be said where the mask holds zeros.
    values
        Value in the mask -> class (name or value), or ``"unlabelled"``: ``{-1: "unlabelled", 1: "mito"}``. Not given:
        by the names that the file gives its values; values that are classes stay what they are; else, as many values as
        there are foreground classes are taken in order, so that a mask of 0 and 255 fills the only one. Object numbers
        are kept, raised where they are values of classes, and numbered anew where they are beyond 32 bits; ``values``
        then need say only what is none, such as ``{-1: 0}``. For outlines: name of theirs -> class.
    region
        Where the mask lies, if it is not of the image's shape.
    overwrite
        False: keep what is labelled already.
    **arguments
        What :func:`open_volume` takes, such as ``dataset``; for outlines ``index`` (the slice of those that name none)
        and ``line_width`` (pixels with which lines and points are drawn; 0 leaves them out).

    Raises
    ------
    LabelError
        The mask does not fit, its values are not understood, or ``zero`` was not said; nothing has changed.
    VolumeError
        The file cannot be opened.
    """
    if is_project(source):
        from voxloop.store.ilastik import load as load_project

        return load_project(labels, Path(source).expanduser(), values, overwrite=overwrite, **arguments)  # type: ignore[arg-type]
    if is_annotation(source):
        with painted(Path(source).expanduser(), labels.shape, arguments.get("dataset")) as mask:
            return _load_mask(
                labels, mask, Box.whole(labels.shape), zero or "unlabelled", values, overwrite, str(source)
            )
    if is_outlines(source):
        from voxloop.store.outlines import load as load_outlines

        path = Path(source).expanduser()
        outlines = _outline_file(path).read(path, labels)
        return load_outlines(labels, outlines, path, zero, values, overwrite=overwrite, **arguments)
    if zero is not None and (not isinstance(zero, str) or zero not in ZERO):
        raise LabelError(f"zero={zero!r} is neither 'background' nor 'unlabelled'")
    box = Box.of(region, labels.shape)
    mask = _as_it_lies(_opened(source, box, region, arguments), labels.facts().anatomy)
    return _load_mask(labels, mask, box, zero, values, overwrite, _named(source))


def _load_mask(
    labels: OpenLabels,
    mask: Any,
    box: Box,
    zero: str | None,
    values: Any,
    overwrite: bool,
    source: str,
) -> Edit:
    """One edit of something of the box's shape that reads when it is sliced."""
    names = _names_of(mask)
    present = sorted(_counts_in(mask, box, labels.chunks))
    table = table_for(labels, present, zero, values, names)

    def proposal(part: Box, current: np.ndarray) -> np.ndarray:
        new = table.apply(_whole(mask[part.within(box).slices]))
        return np.where((new > 0) if overwrite else (new > 0) & (current == 0), new, current)

    note: dict[str, Any] = {"source": source, "zero": zero, "values": table.to_json()}
    if table.renumbered:
        note["renumbered"] = True
    return labels.edit("load", box, proposal, note)


def survey(labels: OpenLabels, source: Any, *, region: object = None, **arguments: Any) -> list[MaskValue]:
    """The values of a mask, the share of each, and what it seems to mean: what :func:`load` is to be told, as a table.

    Empty for outlines, whose classes are names. Raises LabelError, VolumeError as :func:`load` does.
    """
    if is_outlines(source) or is_project(source):
        return []
    box = Box.of(region, labels.shape)
    mask = _opened(source, box, region, arguments)
    return meanings(labels, _counts_in(mask, box, labels.chunks), _names_of(mask))


def is_outlines(source: Any) -> bool:
    """Whether a source is a file of outlines, by its name."""
    return isinstance(source, str | Path) and str(source).lower().endswith((*_ROIS, *_ANNOTATIONS, *_SKELETONS))


def save(labels: OpenLabels, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write labels for other programs, with the names and colours of classes; the suffix decides.

    ``.zarr``, ``.tif``, ``.ome.tif``, ``.h5``, ``.npy``, ``.mrc``, ``.nii``: arrays, block by block, so that it does
    not matter how large the volume is. ``.zip``: an ImageJ ROI set; ``.geojson``: polygons as QuPath reads them;
    ``.json``: COCO. Raises LabelError, VolumeError.
    """
    path, overwrite = path_of(path, error=LabelError), flag("overwrite", overwrite, error=LabelError)
    name = path.name.lower()
    if path.exists() and not overwrite:
        raise LabelError(f"{path} exists; choose another name or say overwrite=True")
    if name.endswith((".zip", *_ANNOTATIONS)):
        return Path(_outline_file(path, exists=False).save(labels, path))
    if name.endswith(_ARRAYS):
        from voxloop.volumes import save_volume

        return save_volume(labels.as_volume(), path, kind="labels", overwrite=overwrite)
    raise LabelError(
        f"{path.name} must end in .zarr, .tif, .ome.tif, .h5, .npy, .mrc, .nii, .zip (ImageJ ROI set), .json (COCO) or "
        ".geojson"
    )


def _outline_file(path: Path, *, exists: bool = True) -> Any:
    """The module that reads and writes outlines of this kind. Raises LabelError where the file is not there."""
    from voxloop.store import annotations, rois, skeletons

    if exists and not path.is_file():
        raise LabelError(f"{path} is not there")
    if path.suffix.lower() in _SKELETONS:
        return skeletons
    return rois if path.suffix.lower() in _ROIS else annotations


def _opened(source: Any, box: Box, region: object, arguments: dict[str, Any]) -> Any:
    """Something of the box's shape (z, y, x), with a type, and slices that can be read. Raises LabelError."""
    mask: Any
    if isinstance(source, np.ndarray):
        mask = source[None] if source.ndim == 2 else source
    else:
        from voxloop.volumes import open_volume

        mask = open_volume(source, **arguments)
        guessed = mask.attrs.get("axes_from") == "assumed" and "axes" not in arguments
        if guessed and tuple(mask.shape) != box.shape:
            turned = _as_image(source, box, arguments)  # the image's shape says more than a guess
            mask = mask if turned is None else turned
        if mask.ndim == 4:
            raise VolumeError(f"{_named(source)} has {mask.shape[0]} channels; say which is the mask: channels=0")
    if np.dtype(mask.dtype).kind not in "buif":
        raise LabelError(f"a mask holds whole numbers, this one is {mask.dtype}; convert it or threshold it first")
    if tuple(mask.shape) != box.shape:
        what = "the image" if region is None else "the region"
        raise LabelError(
            f"the mask has shape {tuple(mask.shape)}, {what} {box.shape} (z, y, x); "
            "a part goes in with region=(slice, slice, slice)"
        )
    return mask


def _as_it_lies(mask: Any, anatomy: str) -> Any:
    """The mask in the order of the image's voxels, where both say how they lie: NIfTI counts from left, others not."""
    own = getattr(mask, "attrs", {}).get("anatomy", "")
    if not own or not anatomy or own == anatomy:
        return mask
    turns = {axis: slice(None, None, -1) for axis, a, b in zip("xyz", own, anatomy, strict=True) if a != b}
    return mask.isel(turns)


def _as_image(source: Any, box: Box, arguments: dict[str, Any]) -> Any:
    """The mask with its axes in the order z, y, x, if that makes it fit; None where it does not."""
    from voxloop.volumes import open_volume

    try:
        mask = open_volume(source, **arguments, axes="zyx")
    except VolumeError:
        return None
    return mask if tuple(mask.shape) == box.shape else None


def _names_of(mask: Any) -> dict[int, str]:
    """Names that a mask gives for its values."""
    if isinstance(mask, PaintedVolume):
        return mask.names
    noted = getattr(mask, "attrs", {}).get("classes")
    return {int(one["value"]): str(one["name"]) for one in json.loads(noted)} if noted else {}


def _counts_in(mask: Any, box: Box, chunks: tuple[int, int, int]) -> dict[int, int]:
    """Voxels of each value."""
    counts: dict[int, int] = {}
    for part in box.blocks(chunks):
        values, numbers = np.unique(_whole(mask[part.within(box).slices]), return_counts=True)
        for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
            counts[int(value)] = counts.get(int(value), 0) + number
    return counts


def _whole(block: Any) -> np.ndarray:
    """A block of a mask as whole numbers; floats that are whole are such, as Fiji writes them. Raises LabelError."""
    numbers = np.asarray(block)
    if numbers.dtype.kind != "f":
        return numbers
    if not np.isfinite(numbers).all():
        raise LabelError("a mask holds whole numbers, this one holds not-a-numbers too; numpy.nan_to_num replaces them")
    if not (numbers == np.rint(numbers)).all():
        raise LabelError(
            f"a mask holds whole numbers, this one is {numbers.dtype} with fractions; threshold it first, for example "
            "array > 0.5"
        )
    return numbers.astype(np.int64)


def _named(source: Any) -> str:
    if isinstance(source, str | Path):
        return str(source)
    return f"array {tuple(source.shape)}" if hasattr(source, "shape") else type(source).__name__
