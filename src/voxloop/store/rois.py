"""ImageJ ROI sets as labels and back. An ROI is an outline on one slice, in ImageJ's coordinates of pixel corners."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box
from voxloop.store.planes import Plane
from voxloop.store.shapes import inside, parts_of

if TYPE_CHECKING:
    from voxloop.store.drawing import Edit
    from voxloop.store.labels import Labels

_HOLE = " hole"


def load_rois(labels: Labels, path: Path, zero: str | None, *, overwrite: bool, index: int | None = None) -> Edit:
    """Fill the ROIs of a set as one edit; what lies outside stays as it is.

    The class of an ROI is its group number, else the class that its name begins with, else the only foreground class.
    In a level of instances every ROI becomes one; outlines of one name on several slices become the same.
    ``index`` is the slice of ROIs that name none.
    """
    import roifile

    if zero == "background":
        raise LabelError("an ROI set does not say that the rest is background; load it with zero='unlabelled'")
    try:
        found = roifile.roiread(path)
    except FileNotFoundError:
        raise LabelError(f"{path} is not there") from None
    except Exception as error:  # zipfile, struct, value errors of a foreign file
        raise LabelError(f"{path} is no ImageJ ROI set: {error}") from error
    rois = found if isinstance(found, list) else [found]
    names: dict[str, int] = {}
    masks: list[tuple[Box, np.ndarray, int]] = []
    for roi in rois:
        plane = Plane("z", _slice(roi, labels, index), labels.shape, labels.spacing_um)
        outlines = [np.asarray(one, float)[:, ::-1] - 0.5 for one in roi.coordinates(multi=True) if len(one) > 2]
        mask = inside(outlines, plane.size)
        if mask is None:
            continue
        box, solid = plane.place(mask)
        hole = roi.name.endswith(_HOLE)
        masks.append((box, solid, 0 if hole else _value(roi, labels, names)))
    if not masks:
        raise LabelError(f"{path} holds no outline that lies on the image")

    by_slice: dict[int, list[tuple[Box, np.ndarray, int]]] = defaultdict(list)
    chunks: set[Box] = set()  # whole ones, so that every block comes up once
    for box, solid, value in masks:
        by_slice[box.start[0]].append((box, solid, value))
        chunks.update(box.aligned(labels.chunks).clip(labels.shape).blocks(labels.chunks))

    def proposal(part: Box, current: np.ndarray) -> np.ndarray:
        new = np.zeros_like(current)
        for z in range(part.start[0], part.stop[0]):
            for box, solid, value in by_slice.get(z, ()):
                both = box.meet(part)
                if both is not None:
                    new[both.within(part).slices][solid[both.within(box).slices]] = value
        return np.where((new > 0) if overwrite else (new > 0) & (current == 0), new, current)

    boxes = sorted(chunks, key=lambda box: box.start)
    return labels.edit("load", boxes, proposal, {"source": str(path), "rois": len(rois)})


def save_rois(labels: Labels, path: Path) -> Path:
    """One ROI for each connected part of each slice, named after its class; holes are ROIs of their own."""
    import roifile

    rois: list[Any] = []
    slices = sorted({z for touched in labels.touched() for z in range(touched.box.start[0], touched.box.stop[0])})
    for z in slices:
        values = labels.plane("z", z)
        for value in np.unique(values[values > 0]).tolist():
            name = _name(labels, value)
            for number, outlines in enumerate(parts_of(values == value), 1):
                for hole, outline in outlines:
                    title = f"{name} {z + 1}-{number}" + (_HOLE if hole else "")
                    points = (outline[:, ::-1] + 0.5).astype(np.float32)
                    roi = roifile.ImagejRoi.frompoints(points, name=title, position=z)
                    roi.group = value if labels.level.kind == "semantic" and value <= 255 else 0
                    rois.append(roi)
    if not rois:
        raise LabelError("nothing is labelled, so there is no ROI to save")
    path.unlink(missing_ok=True)
    roifile.roiwrite(path, rois, name=[f"{roi.name}" for roi in rois])
    return path


def _slice(roi: Any, labels: Labels, index: int | None) -> int:
    number = int(roi.z_position) or int(roi.position)
    if number:
        return number - 1
    if index is not None or labels.shape[0] == 1:
        return index or 0
    raise LabelError(f"ROI {roi.name!r} names no slice; say which with index=")


def _value(roi: Any, labels: Labels, names: dict[str, int]) -> int:
    if labels.level.kind == "instances":
        base = re.sub(r" \d+-\d+$", "", roi.name)
        return names.setdefault(base, labels.next_id() + len(names))
    classes = labels.level.classes
    if any(item.value == roi.group for item in classes):
        return labels.paintable(int(roi.group))
    for item in sorted(classes, key=lambda item: -len(item.name)):
        if roi.name.lower().startswith(item.name.lower()):
            return labels.paintable(item.value)
    foreground = [item for item in classes if not item.background]
    if len(foreground) != 1:
        raise LabelError(
            f"ROI {roi.name!r} does not say its class; let its name begin with one of "
            f"{', '.join(repr(item.name) for item in classes)}"
        )
    return labels.paintable(foreground[0].value)


def _name(labels: Labels, value: int) -> str:
    named = [item.name for item in labels.level.classes if item.value == value]
    return named[0] if named else f"object {value}"
