"""ImageJ ROI sets as outlines and back. ImageJ counts pixel corners, and slices from 1."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.archives import check_archive
from voxloop.errors import LabelError
from voxloop.store.outlines import Outline, name_of, outlines_of

if TYPE_CHECKING:
    from voxloop.store.label_contract import OpenLabels

#: how :func:`save` ends the names of parts: slice and number; those of holes, of which there may be several
_PART = re.compile(r" \d+-\d+( hole( \d+)?)?$")
_HOLE = re.compile(r" hole( \d+)?$")


def read(path: Path, labels: OpenLabels) -> list[Outline]:
    """The outlines of a ``.roi`` or ``.zip``. Raises LabelError."""
    import roifile

    if path.suffix.lower() == ".zip":
        check_archive(path, error=LabelError)
    try:
        given = roifile.roiread(path)
    except Exception as error:  # zipfile, struct, value errors of a foreign file
        raise LabelError(f"{path} is no ImageJ ROI set: {error}") from error
    rois = given if isinstance(given, list) else [given]
    facts = labels.facts()
    frames, timepoint = facts.frames, facts.timepoint
    found = []
    for roi in rois:
        if not frames and timepoint is not None and roi.t_position > 0 and roi.t_position - 1 != timepoint:
            continue  # of another time point than the one that is open
        try:
            found.append(_outline(roi, frames))
        except Exception as error:  # coordinates that are cut short
            raise LabelError(f"{path} is damaged at ROI {roi.name!r} ({error})") from error
    return _with_holes(found)


def _with_holes(outlines: Sequence[Outline]) -> list[Outline]:
    """Holes as rings of the part they are cut from, so that they spare what lies within them."""
    parts: dict[tuple[str, int | None], Outline] = {}
    for number, one in enumerate(outlines):
        part = parts.get((_HOLE.sub("", one.name), one.slice)) if one.hole else None
        if part is not None and part.kind == "area":
            parts[part.name, part.slice] = replace(part, rings=[*part.rings, *one.rings])
        else:
            # in sets of others several outlines may have one name
            key = one.name if (one.name, one.slice) not in parts else f"{one.name}\0{number}"
            parts[key, one.slice] = one
    return list(parts.values())


def _outline(roi: Any, frames: bool) -> Outline:
    name = str(roi.name or "")
    kind = _kind(roi)
    rings = [np.asarray(one, float)[:, ::-1] - 0.5 for one in roi.coordinates(multi=True) if len(one)]
    part = _PART.search(name)
    return Outline(
        rings=rings,
        kind=kind,
        width=float(roi.stroke_width or 0) if kind == "line" else 0.0,
        name=name,
        value=int(roi.group) or None,
        slice=_slice(roi, frames),
        hole=_HOLE.search(name) is not None,
        object=name[: part.start()] if part else None,
    )


def _kind(roi: Any) -> str:
    from roifile import ROI_SUBTYPE, ROI_TYPE

    if roi.composite or roi.roitype in (
        ROI_TYPE.POLYGON,
        ROI_TYPE.RECT,
        ROI_TYPE.OVAL,
        ROI_TYPE.FREEHAND,
        ROI_TYPE.TRACED,
    ):
        return "line" if roi.subtype in (ROI_SUBTYPE.ARROW, ROI_SUBTYPE.TEXT) else "area"
    return "point" if roi.roitype == ROI_TYPE.POINT else "line"


def _slice(roi: Any, frames: bool) -> int | None:
    """The slice (the frame of a time lapse) that an ROI lies on, from 0; None where it names none."""
    positions = [roi.z_position, roi.position]
    if frames and not roi.t_position <= 1 < roi.z_position:  # else the frames were slices when they were drawn on
        positions.insert(0, roi.t_position)
    return next((int(number) - 1 for number in positions if int(number) > 0), None)


def save(labels: OpenLabels, path: Path) -> Path:
    """One ROI for each connected part of each slice, named after its class; holes are ROIs of their own."""
    import roifile

    frames = labels.facts().frames
    colours = {item.value: item.color for item in labels.level.classes}
    rois: list[Any] = []
    for z, value, number, rings in outlines_of(labels):
        holes = 0
        for hole, outline in rings:
            title = f"{name_of(labels, value)} {z + 1}-{number}"
            if hole:
                holes += 1
                title += " hole" if holes == 1 else f" hole {holes}"
            roi = roifile.ImagejRoi.frompoints((outline[:, ::-1] + 0.5).astype(np.float32), name=title, position=z)
            if frames:
                roi.t_position = z + 1
            roi.group = value if labels.level.kind == "semantic" and value <= 255 else 0
            if colours.get(value):
                roi.stroke_color = bytes.fromhex("ff" + colours[value][1:])
            rois.append(roi)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        roifile.roiwrite(path, rois, name=[f"{roi.name}" for roi in rois])
    except OSError as error:
        raise LabelError(f"{path} cannot be written ({error.strerror}); choose another place") from error
    return path
