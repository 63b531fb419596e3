"""TIFF, OME-TIFF, BigTIFF and ImageJ hyperstacks through tifffile, page by page. Never reads voxels on opening."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import unit_um
from voxloop.volumes.formats.contract import Format, Found, LazyArray, Source, has_suffix

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".ome.tif", ".lsm")
#: tifffile's letters: I is a sequence of pages, Q an axis that nobody named
_AXES = {"I": "z", "Q": "?", "Z": "z", "C": "c", "T": "t", "S": "s", "Y": "y", "X": "x"}
_RESOLUTION_UM = {2: 25_400.0, 3: 10_000.0}  # TIFF 6.0, ResolutionUnit: inch, centimetre


def read(source: Source) -> Found:
    """The first series of a TIFF file, or the resolution ``source.scale`` of a pyramid."""
    import tifffile

    path = str(source.path)
    try:
        with _complaints() as complaints, tifffile.TiffFile(path) as tif:
            if not tif.series:
                raise VolumeError(f"{path} holds no picture")
            series = tif.series[_series_index(tif, source)]
            levels = series.levels
            if not 0 <= source.scale < len(levels):
                raise VolumeError(f"{path} has {len(levels)} scales; scale={source.scale} is not one of them")
            _check_complete(tif, series, path, complaints)
            level = levels[source.scale]
            spacing = _spacing(tif)
            factors = [full / own for full, own in zip(series.shape, level.shape, strict=True)]
            axes = "".join(_AXES.get(letter, "?") for letter in level.axes)
            spacing = {a: spacing[a] * f for a, f in zip(axes, factors, strict=True) if a in spacing} | (
                {"z": spacing["z"]} if "z" in spacing and "z" not in axes else {}
            )
            array, chunks = _lazy(path, tif, level, source.scale)
            names = _channel_names(tif)
    except VolumeError:
        raise
    except Exception as error:  # tifffile raises a dozen kinds for damaged files
        raise VolumeError(f"{path} cannot be read as TIFF ({_first_line(error)}); is it complete?") from error
    return Found(
        array=array, axes=axes, spacing_um=spacing, channel_names=names, chunks=chunks, scale_count=len(levels)
    )


def _series_index(tif: TiffFile, source: Source) -> int:
    if source.dataset is None:
        return 0
    names = [series.name for series in tif.series]
    if source.dataset in names:
        return names.index(source.dataset)
    if source.dataset.isdigit() and int(source.dataset) < len(names):
        return int(source.dataset)
    listed = ", ".join(
        f"{i} {name!r} {series.shape}" for i, (name, series) in enumerate(zip(names, tif.series, strict=True))
    )
    raise VolumeError(f"{source.text} has no series {source.dataset!r}; there are {listed}")


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What tifffile logs while it walks a damaged file: it goes on with the pages it finds."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger, listener = logging.getLogger("tifffile"), Listener(logging.WARNING)
    logger.addHandler(listener)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield heard
    finally:
        logger.removeHandler(listener)
        logger.propagate = propagate


def _check_complete(tif: TiffFile, series: TiffPageSeries, path: str, complaints: list[str]) -> None:
    size = tif.filehandle.size
    if series.dataoffset is not None:
        last = series.dataoffset + series.nbytes
    else:
        pages = [page for page in (series.pages[0], series.pages[-1]) if page is not None]
        last = max(
            (o + n for page in pages for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0
        )
        if len({id(page.parent) for page in pages}) > 1:  # an OME set over several files
            last = 0
    if last > size:
        raise VolumeError(
            f"{path} is cut short: its voxels reach to byte {last:,} but the file has {size:,}; copy it again"
        )
    broken = [text for text in complaints if "offset" in text or "corrupt" in text or "truncated" in text]
    if broken:
        raise VolumeError(f"{path} is damaged or cut short ({_first_line(broken[0])}); copy it again")


def _lazy(path: str, tif: TiffFile, level: TiffPageSeries, scale: int) -> tuple[LazyArray, tuple[int, ...] | None]:
    """A memory map where the voxels lie in one piece, else the store of pages and tiles that tifffile offers."""
    page = level.keyframe
    if level.dataoffset is not None and page.is_memmappable:
        dtype = np.dtype(level.dtype).newbyteorder(tif.byteorder)
        mapped: LazyArray = np.memmap(path, dtype, "r", offset=level.dataoffset, shape=level.shape)
        return mapped, None
    import zarr

    index = tif.series.index(level) if level in tif.series else 0
    store = tifffile_store(path, index, scale)
    opened: Any = zarr.open(store, mode="r")
    return opened, tuple(opened.chunks)


def tifffile_store(path: str, series: int, level: int) -> Any:
    """A zarr store over the pages of ``path``; holds the file open for as long as it is used."""
    import tifffile

    return tifffile.imread(path, aszarr=True, series=series, level=level)


def _spacing(tif: TiffFile) -> dict[str, float]:
    if tif.is_ome:
        return _ome_spacing(tif.ome_metadata or "")
    found = _resolution(tif)
    if tif.is_lsm and tif.lsm_metadata:
        return {axis: float(tif.lsm_metadata[f"VoxelSize{axis.upper()}"]) * 1e6 for axis in "zyx"}
    return found


def _resolution(tif: TiffFile) -> dict[str, float]:
    """Pixel size from the resolution tags; ImageJ keeps the unit and the distance of slices in its own metadata."""
    page = tif.pages.first
    imagej: dict[str, Any] = dict(tif.imagej_metadata or {})
    shaped: dict[str, Any] = dict((tif.shaped_metadata or [{}])[0] or {})
    notes = {**shaped, **imagej}
    unit = _unit(str(notes.get("unit", "")))
    scale = unit or _RESOLUTION_UM.get(int(getattr(page.tags.get("ResolutionUnit"), "value", 1) or 1))
    found: dict[str, float] = {}
    for axis, tag in (("x", "XResolution"), ("y", "YResolution")):
        value = page.tags.get(tag)
        if scale is None or value is None:
            continue
        pixels, per = value.value if isinstance(value.value, tuple) else (value.value, 1)
        # 72 and 96 dots an inch are what programs write that know of no size
        if pixels and per and not (unit is None and scale == 25_400.0 and pixels / per in (1, 72, 96, 150, 300)):
            found[axis] = scale * per / pixels
    if unit is None and scale == 10_000.0 and found.get("x") == 10_000.0:
        found = {}
    if "spacing" in notes and unit is not None:
        found["z"] = abs(float(notes["spacing"])) * unit
    return {axis: size for axis, size in found.items() if np.isfinite(size) and size > 0}


def _unit(text: str) -> float | None:
    text = text.replace("\\u00B5", "µ").strip()
    try:
        return unit_um(text) if text else None
    except VolumeError:  # "pixel"
        return None


def _ome_pixels(xml: str) -> ElementTree.Element | None:
    return next((node for node in ElementTree.fromstring(xml).iter() if node.tag.endswith("}Pixels")), None)


def _ome_spacing(xml: str) -> dict[str, float]:
    pixels = _ome_pixels(xml)
    found = {}
    for axis in "zyx":
        size = None if pixels is None else pixels.get(f"PhysicalSize{axis.upper()}")
        if pixels is not None and size:
            unit = _unit(pixels.get(f"PhysicalSize{axis.upper()}Unit", "µm"))
            if unit is not None and float(size) > 0:
                found[axis] = float(size) * unit
    return found


def _channel_names(tif: TiffFile) -> list[str] | None:
    if tif.is_ome:
        pixels = _ome_pixels(tif.ome_metadata or "")
        nodes = [] if pixels is None else [node for node in pixels if node.tag.endswith("}Channel")]
        names = [node.get("Name") or node.get("ID") or "" for node in nodes]
        return names if names and all(names) else None
    labels = (tif.imagej_metadata or {}).get("ChannelNames") or (tif.imagej_metadata or {}).get("Labels")
    return [str(label) for label in labels] if isinstance(labels, list | tuple) else None


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


FORMAT = Format(name="TIFF", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read)
