"""MRC and REC files of electron microscopy, memory mapped by mrcfile."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import UNITS_UM
from voxloop.volumes.formats.contract import Contents, Format, Source, has_suffix
from voxloop.volumes.formats.mapped import Mapped
from voxloop.volumes.formats.numbers import Seen
from voxloop.volumes.metadata import Notes, first_line

SUFFIXES = (".mrc", ".mrcs", ".rec", ".st", ".map", ".ali")
#: "IMOD" in the header's byte 152; bit 0 of the flags after it says that bytes are signed. Source: IMOD's mrc format
_IMOD = 1146047817
#: the label in a header by which voxloop says that sections are separate pictures
FRAMES = "voxloop: sections are separate pictures"
_UNREADABLE = {16: "colours (mode 16)", 101: "4 bits a voxel (mode 101)", 3: "complex numbers (mode 3)"}


def read(source: Source) -> Contents:
    """The map of an MRC file; its voxel size is in angstrom. Stacks of pictures (``is_image_stack``) are frames."""
    import mrcfile

    mode = _mode(str(source.path))
    if mode in _UNREADABLE:
        raise VolumeError(
            f"{source.path} holds {_UNREADABLE[mode]}, which is not read; convert it, for example with IMOD's "
            "newstack -mode 0"
        )
    try:
        opened = mrcfile.mmap(str(source.path), mode="r", permissive=True)
    except (OSError, ValueError) as error:
        raise VolumeError(f"{source.path} cannot be read as MRC ({first_line(error)}); is it complete?") from error
    data = opened.data
    if data is None:
        raise VolumeError(f"{source.path} is cut short: its header promises voxels that are not there; copy it again")
    notes = Notes()
    spacing = notes.attempt("the voxel size", lambda: _spacing(opened.voxel_size, notes), {})
    letters = notes.attempt("the order of its axes", lambda: _letters(opened.header), "zyx")
    array: Any = Mapped(data)
    if data.dtype == np.int8 and notes.attempt("the sign of its bytes", lambda: _unsigned(opened.header), False):
        array = Seen(array, np.uint8)
        notes.remarks.append("bytes are read as 0 to 255, as its header says")
    if letters != "zyx":
        notes.remarks.append(f"its axes are stored as {letters} and put in order, as its header says")
    noted = notes.attempt("its labels", lambda: FRAMES in list(opened.get_labels()), False)
    stack = noted or (bool(opened.is_image_stack()) and source.text.lower().endswith(".mrcs"))
    return Contents(
        array=array,
        axes=("t" + letters)[-data.ndim :],
        spacing_um=spacing,
        z_kind="frame" if stack else "space",
        remarks=notes.remarks,
    )


def _mode(path: str) -> int:
    """The number of the voxels' type, in whichever byte order is sensible."""
    with Path(path).open("rb") as file:
        head = file.read(16)
    if len(head) < 16:
        raise VolumeError(f"{path} is no MRC file: it ends within its header")
    little, big = (struct.unpack(order + "i", head[12:16])[0] for order in "<>")
    return int(little if 0 <= little < 1024 else big)


def _spacing(size: Any, notes: Notes) -> dict[str | int, float]:
    """Micrometres; an axis of 0 angstrom says nothing."""
    spacing: dict[str | int, float] = {}
    for axis in "zyx":
        angstrom = float(size[axis])
        um = None if angstrom == 0 else notes.size(f"the voxel size along {axis}", angstrom, UNITS_UM["angstrom"])
        if um is not None:
            spacing[axis] = um
    if all(float(size[axis]) == 1.0 for axis in "zyx"):
        notes.remarks.append("the header says 1 angstrom a voxel, which is also what IMOD writes where it knows none")
    return spacing


def _letters(header: Any) -> str:
    """Which axis sections, rows and columns run along. Raises ValueError where the header names one twice."""
    order = [int(header.maps), int(header.mapr), int(header.mapc)]
    if order == [0, 0, 0]:
        return "zyx"  # programs of old left it empty
    if sorted(order) != [1, 2, 3]:
        raise ValueError(f"columns, rows, sections along {order[::-1]}")
    return "".join("xyz"[axis - 1] for axis in order)


def _unsigned(header: Any) -> bool:
    """Whether the bytes of mode 0 are meant to be 0 to 255: IMOD's flag, else a maximum that no signed byte reaches."""
    stamp, flags = struct.unpack("<ii", bytes(header.extra2.tobytes())[40:48])
    if stamp == _IMOD:
        return not flags & 1
    return float(header.dmax) > 127


FORMAT = Format(name="MRC", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read, parts=False)
