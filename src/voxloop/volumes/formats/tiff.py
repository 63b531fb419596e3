"""TIFF, OME-TIFF, BigTIFF and ImageJ hyperstacks through tifffile, page by page. Never reads voxels on opening."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats.contract import Contents, Format, LazyArray, Source, has_suffix
from voxloop.volumes.formats.mapped import Mapped
from voxloop.volumes.formats.numbers import Lowered
from voxloop.volumes.formats.tiff_size import classes_of, names_of, sizes_of
from voxloop.volumes.metadata import Notes, first_line, list_some

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".ome.tif", ".lsm", ".stk", ".svs", ".ndpi", ".scn", ".qptiff")
#: tifffile's letters; I is a sequence of pages and Q an axis that nobody named
_AXES = {"I": "?", "Q": "?", "Z": "z", "C": "c", "T": "t", "S": "s", "Y": "y", "X": "x"}
#: tags without which the voxels cannot be found; damage in any other leaves them readable
_STRUCTURE = {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 339, 347}
_PHOTOMETRIC = {0: "white", 3: "palette", 5: "ink"}
_COLOUR = (2, 6, 8)  # RGB, YCbCr, Lab
#: pages whose place in the file is looked at; of more, an even choice
_MOST_PAGES = 4096


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which series of a file is opened, and how tifffile has to be told to see it."""

    series: int
    flags: dict[str, Any]


def read(source: Source) -> Contents:
    """One series of a TIFF file (the largest, unless ``source.dataset`` names one), one resolution of a pyramid."""
    import tifffile

    path = str(source.path)
    notes = Notes()
    try:
        with _complaints() as complaints:
            choice = _choose(path, source, notes)
            with tifffile.TiffFile(path, **choice.flags) as tif:
                series = tif.series[choice.series]
                if source.scale >= len(series.levels):
                    raise VolumeError(
                        f"{path} has {len(series.levels)} scales; scale={source.scale} is not one of them"
                    )
                level = series.levels[source.scale]
                _check_complete(tif, level, path, complaints, notes)
                axes = _letters(level, notes)
                stated = sizes_of(tif, choice.series, notes)
                names = notes.attempt("the names of channels", lambda: names_of(tif, choice.series), None)
                classes = notes.attempt("the names of classes", lambda: classes_of(tif), [])
                array, chunks = _lazy(path, tif, level, choice, source.scale)
                array = notes.attempt("ImageJ's calibration", partial(_calibrated, tif, array, notes), array)
                count = len(series.levels)
                full = tuple(series.shape)
    except VolumeError:
        raise
    except Exception as error:  # tifffile raises a dozen kinds for damaged files
        raise VolumeError(f"{path} cannot be read as TIFF ({first_line(error)}); is it complete?") from error
    factors = dict(zip(axes, (whole / part for whole, part in zip(full, array.shape, strict=True)), strict=True))
    return Contents(
        array=array,
        axes=axes,
        spacing_um={axis: size * factors.get(axis, 1.0) for axis, size in stated.items()},
        channel_names=names,
        chunks=chunks,
        scale_count=count,
        labels=bool(classes),
        classes=classes,
        remarks=notes.remarks,
        losses=notes.losses,
    )


def _choose(path: str, source: Source, notes: Notes) -> _Choice:
    """The series that is meant; what else is in the file becomes a remark. Raises VolumeError."""
    import tifffile

    with tifffile.TiffFile(path) as tif:
        described = [_words(i, one) for i, one in enumerate(tif.series)]
        if not described:
            raise VolumeError(f"{path} holds no picture")
        sizes = [one.size for one in tif.series]
        alike = len({(one.shape, one.dtype) for one in tif.series}) == 1 and all(
            one.kind == "shaped" for one in tif.series
        )
        named = None if source.dataset is None else _named(tif.series, source)
    if named is not None:
        return _Choice(named, {})
    if len(described) == 1:
        return _Choice(0, {})
    if alike:  # pages that were appended one after the other, each with a description of its own
        with tifffile.TiffFile(path, is_shaped=False) as tif:
            together = len(tif.series)
        if together == 1:
            notes.remarks.append(
                f"its {len(described)} series, alike in shape, were appended one by one and are one stack here"
            )
            return _Choice(0, {"is_shaped": False})
    largest = int(np.argmax(sizes))
    rest = [words for i, words in enumerate(described) if i != largest]
    notes.losses.append(
        f"series {described[largest]} of {len(described)} is shown; left out: {list_some(rest, 4)}; "
        "dataset= names another"
    )
    return _Choice(largest, {})


def _words(index: int, series: TiffPageSeries) -> str:
    name = f" {series.name!r}" if series.name else ""
    return f"{index}{name} {tuple(series.shape)}"


def _named(series: Sequence[TiffPageSeries], source: Source) -> int:
    names = [one.name for one in series]
    wanted = str(source.dataset)
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    there = ", ".join(_words(i, one) for i, one in enumerate(series))
    raise VolumeError(f"{source.text} has no series {source.dataset!r}; there are {there}")


def _letters(level: TiffPageSeries, notes: Notes) -> str:
    """A letter an axis, and remarks on what the numbers mean."""
    page: Any = level.keyframe
    photometric = int(page.photometric)
    axes = "".join(_AXES.get(letter, "?") for letter in level.axes)
    meaning = _PHOTOMETRIC.get(photometric)
    if meaning == "white":
        notes.remarks.append("the file says that 0 is white; numbers are as they are stored, so it looks inverted here")
    elif meaning == "palette":
        notes.remarks.append("a palette picture; its numbers are places in the palette")
    orientation = int(getattr(page.tags.get("Orientation"), "value", 1) or 1)
    if orientation != 1:
        notes.remarks.append(
            f"its orientation tag is {orientation}, not upright; rows and columns are as they are stored"
        )
    if "s" in axes and "c" not in axes and not _is_colour(page, photometric):
        axes = axes.replace("s", "c")
        notes.remarks.append("samples of a pixel are taken for channels, since the file does not call them colours")
    return axes


def _calibrated(tif: TiffFile, array: LazyArray, notes: Notes) -> LazyArray:
    """ImageJ's calibration of gray values: signed numbers are made signed again, any other is a remark."""
    noted = tif.imagej_metadata or {}
    if noted.get("cf") is None or str(noted["cf"]) == "20":  # 20: none
        return array
    intercept, slope = float(noted.get("c0", 0)), float(noted.get("c1", 1))
    if int(noted["cf"]) == 0 and (intercept, slope) == (0, 1):
        return array
    if int(noted["cf"]) == 0 and (intercept, slope) == (-32768, 1) and np.dtype(array.dtype).itemsize == 2:
        notes.remarks.append("stored numbers are lowered by 32768, as ImageJ notes for signed ones")
        return Lowered(array)
    notes.remarks.append(f"ImageJ notes a calibration of gray values (c0 = {intercept:g}, c1 = {slope:g}), left aside")
    return array


def _is_colour(page: Any, photometric: int) -> bool:
    """Whether the samples of a pixel are colours, with transparency at most beside them."""
    if photometric not in _COLOUR:
        return False
    extra = [int(kind) for kind in page.extrasamples or ()]
    return page.samplesperpixel - len(extra) == 3 and len(extra) <= 1 and all(kind in (1, 2) for kind in extra)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What tifffile logs while it walks a damaged file: it goes on with the pages it finds."""
    heard: list[str] = []
    thread = get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                heard.append(record.getMessage())

    logger, listener = logging.getLogger("tifffile"), Listener(logging.WARNING)
    logger.addHandler(listener)
    try:
        yield heard
    finally:
        logger.removeHandler(listener)


def _check_complete(tif: TiffFile, level: TiffPageSeries, path: str, complaints: list[str], notes: Notes) -> None:
    """Raise VolumeError where voxels of this level lie beyond the file; note planes that are missing."""
    broken = [text for text in complaints if _concerns_voxels(text)]
    if broken:
        raise VolumeError(f"{path} is damaged or cut short ({first_line(broken[0])}); copy it again")
    size = tif.filehandle.size
    if level.dataoffset is not None:
        _check_end(path, level.dataoffset + level.nbytes, size)
        return
    pages = list(level.pages) if len(level.pages) <= _MOST_PAGES else []
    missing = [place for place, page in enumerate(pages) if page is None]
    if missing:
        notes.losses.append(
            f"{len(missing)} of {len(pages)} planes are not in the file ({list_some(missing)}) and are shown as zeros"
        )
    step = max(1, len(level.pages) // _MOST_PAGES)
    looked_at = pages or [level.pages[place] for place in range(0, len(level.pages), step)]
    for page in looked_at:
        if page is None or page.parent.filehandle is not tif.filehandle:  # an OME set lies in several files
            continue
        if not page.dataoffsets:
            raise VolumeError(f"{path} is damaged: a page does not say where its voxels lie; copy it again")
        ends = (start + length for start, length in zip(page.dataoffsets, page.databytecounts, strict=False))
        _check_end(path, max(ends, default=0), size)


def _concerns_voxels(complaint: str) -> bool:
    """Whether a complaint of tifffile means that pages or the places of voxels are lost."""
    tag = re.search(r"TiffTag (\d+)", complaint)
    if tag is not None:
        return int(tag[1]) in _STRUCTURE
    return "TiffPages" in complaint and ("offset" in complaint or "corrupt" in complaint)


def _check_end(path: str, last: int, size: int) -> None:
    if last > size:
        raise VolumeError(
            f"{path} is cut short: its voxels reach to byte {last:,} but the file has {size:,}; copy it again"
        )


def _lazy(
    path: str, tif: TiffFile, level: TiffPageSeries, choice: _Choice, scale: int
) -> tuple[LazyArray, tuple[int, ...] | None]:
    """A memory map where the voxels lie in one piece, else the store of pages and tiles that tifffile offers."""
    page = level.keyframe
    if level.dataoffset is not None and page.is_memmappable:
        dtype = np.dtype(level.dtype).newbyteorder(tif.byteorder)
        mapped = np.memmap(path, dtype, "r", offset=level.dataoffset, shape=level.shape)
        return Mapped(mapped), None
    import zarr

    # the store opens the file again when it is read, as often as it is
    opened: Any = zarr.open(tif.aszarr(series=choice.series, level=scale), mode="r")
    return opened, tuple(opened.chunks)


FORMAT = Format(name="TIFF", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read)
