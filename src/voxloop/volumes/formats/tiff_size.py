"""Voxel sizes and channel names in TIFF files, as OME, ImageJ and makers of microscopes note them. Reads no voxels."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from voxloop.volumes.metadata import Notes, length_unit, number, parse_classes, unit_or_remark

if TYPE_CHECKING:
    from tifffile import TiffFile

#: under which name classes are noted in a TIFF file, as JSON
CLASSES = "voxloop_classes"
_RESOLUTION_UM = {2: 25_400.0, 3: 10_000.0}  # TIFF 6.0, ResolutionUnit: inch, centimetre
#: dots an inch, and a centimetre, that programs write which know of no size
_SCREEN_INCH = (1.0, 72.0, 96.0, 100.0, 150.0, 200.0, 300.0, 600.0)
Sizes = dict[str, float]


def sizes_of(tif: TiffFile, series: int, notes: Notes) -> Sizes:
    """Micrometres by axis: the first statement that names the plane's, in the order of how much can be trusted."""
    for what, read in _READERS:
        sizes: Sizes = notes.attempt(what, partial(read, tif, series, notes), {})
        if sizes.keys() & {"x", "y"}:
            return sizes
    return {}


def names_of(tif: TiffFile, series: int) -> list[str] | None:
    """Names of the channels, None where there are none."""
    if tif.is_ome:
        pixels = ome_pixels(tif.ome_metadata or "", len(tif.series), series)
        names = [one.get("Name") or one.get("ID") or "" for one in pixels[1]] if pixels else []
        return names if names and all(names) else None
    imagej = tif.imagej_metadata or {}
    labels = imagej.get("ChannelNames") or imagej.get("Labels")
    return [str(label) for label in labels] if isinstance(labels, list | tuple) else None


def classes_of(tif: TiffFile) -> list[dict[str, Any]]:
    """Classes that voxloop noted in a label image: in the OME-XML, in ImageJ's information, or in the description."""
    if tif.is_ome:
        match = re.search(
            rf"""<(?:\w+:)?M\s+K=["']{CLASSES}["']\s*>(.*?)</(?:\w+:)?M>""", tif.ome_metadata or "", re.DOTALL
        )
        return parse_classes(html.unescape(match[1])) if match else []
    noted = (tif.shaped_metadata or [{}])[0] or {}
    if CLASSES in noted:
        return parse_classes(noted[CLASSES])
    information = str((tif.imagej_metadata or {}).get("Info") or "")
    _, found, text = information.partition(f"{CLASSES}: ")
    return parse_classes(text.splitlines()[0]) if found else []


def ome_pixels(xml: str, count: int, series: int) -> tuple[dict[str, str], list[dict[str, str]]] | None:
    """Attributes of the ``Pixels`` of a series and of its channels.

    Read tag by tag, so that a stray ``&`` or a missing namespace elsewhere in the text does not matter.
    """
    text = re.sub(r"<!--.*?-->", "", xml, flags=re.DOTALL)
    blocks = re.findall(r"<(?:\w+:)?Pixels\b[^>]*>.*?(?=<(?:\w+:)?Pixels\b|\Z)", text, flags=re.DOTALL)
    if not blocks:
        return None
    block = blocks[series] if len(blocks) == count and series < count else blocks[0]
    tags = re.findall(r"<(?:\w+:)?(Pixels|Channel)\b([^>]*)>", block)
    pixels = next((_attributes(inside) for name, inside in tags if name == "Pixels"), {})
    return pixels, [_attributes(inside) for name, inside in tags if name == "Channel"]


def _attributes(tag: str) -> dict[str, str]:
    pairs = re.findall(r"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""", tag)
    return {name: html.unescape(double or single) for name, double, single in pairs}


def _ome(tif: TiffFile, series: int, notes: Notes) -> Sizes:
    pixels = ome_pixels(tif.ome_metadata or "", len(tif.series), series) if tif.is_ome else None
    sizes: Sizes = {}
    for axis in "zyx":
        given = pixels[0].get(f"PhysicalSize{axis.upper()}") if pixels else None
        if pixels is None or not given:
            continue
        unit = unit_or_remark(
            notes, f"PhysicalSize{axis.upper()}", pixels[0].get(f"PhysicalSize{axis.upper()}Unit", "µm")
        )
        size = notes.size(f"PhysicalSize{axis.upper()}", given, unit)
        if size is not None:
            sizes[axis] = size
    return sizes


def _lsm(tif: TiffFile, series: int, notes: Notes) -> Sizes:
    noted: Any = tif.lsm_metadata if tif.is_lsm else None
    return _named(noted or {}, {axis: f"VoxelSize{axis.upper()}" for axis in "zyx"}, 1e6, notes)


def _metamorph(tif: TiffFile, series: int, notes: Notes) -> Sizes:
    noted: Any = (tif.stk_metadata if tif.is_stk else None) or {}
    unit = length_unit(noted.get("CalibrationUnits", ""))
    names = {"y": "YCalibration", "x": "XCalibration"}
    return _named(noted, names, unit, notes) if unit else {}


def _micromanager(tif: TiffFile, series: int, notes: Notes) -> Sizes:
    noted: Any = (tif.micromanager_metadata if tif.is_micromanager else None) or {}
    summary = noted.get("Summary") or {}
    pixel = summary.get("PixelSize_um") or summary.get("PixelSizeUm") or 0
    step = summary.get("z-step_um") or 0
    found = {"y": pixel, "x": pixel, "z": step}
    return {axis: size for axis, value in found.items() if value and (size := notes.size("PixelSize_um", value))}


def _fei(tif: TiffFile, series: int, notes: Notes) -> Sizes:
    """FEI and Thermo Fisher: metres, in the section of the scan."""
    noted: Any = (tif.fei_metadata if tif.is_fei else None) or {}
    for section in ("Scan", "EScan", "IScan", "Image"):
        part = noted.get(section) or {}
        sizes = _named(part, {"y": "PixelHeight", "x": "PixelWidth"}, 1e6, notes)
        if sizes:
            return sizes
    return {}


def _zeiss(tif: TiffFile, series: int, notes: Notes) -> Sizes:
    """Zeiss SmartSEM: name, value and unit under a key."""
    noted: Any = (tif.sem_metadata if tif.is_sem else None) or {}
    for key in ("ap_image_pixel_size", "ap_pixel_size"):
        entry = noted.get(key)
        if isinstance(entry, tuple) and len(entry) > 2:
            size = notes.size(key, entry[1], length_unit(entry[2]))
            if size is not None:
                return {"y": size, "x": size}
    return {}


def _olympus(tif: TiffFile, series: int, notes: Notes) -> Sizes:
    noted: Any = (tif.sis_metadata if tif.is_sis else None) or {}
    return _named(noted, {"y": "pixelsizey", "x": "pixelsizex"}, 1e6, notes)


def _scanned_slide(tif: TiffFile, series: int, notes: Notes) -> Sizes:
    """Aperio: ``MPP`` in the description, micrometres a pixel."""
    text = tif.pages.first.description or ""
    match = re.search(r"\|\s*MPP\s*=\s*([\d.,]+)", text)
    size = notes.size("MPP", match[1]) if match else None
    return {"y": size, "x": size} if size else {}


def _named(noted: dict[str, Any], names: dict[str, str], unit: float | None, notes: Notes) -> Sizes:
    sizes: Sizes = {}
    for axis, name in names.items():
        size = notes.size(name, noted[name], unit) if noted.get(name) else None
        if size is not None:
            sizes[axis] = size
    return sizes


def _resolution(tif: TiffFile, series: int, notes: Notes) -> Sizes:
    """The resolution tags; ImageJ keeps the unit and the distance of slices in its own metadata."""
    page: Any = tif.series[series].keyframe if series < len(tif.series) else tif.pages.first
    shaped: dict[str, Any] = dict((tif.shaped_metadata or [{}])[0] or {})
    imagej: dict[str, Any] = dict(tif.imagej_metadata or {})
    noted = {**shaped, **imagej}
    unit = length_unit(noted["unit"]) if noted.get("unit") else None
    code = getattr(page.tags.get("ResolutionUnit"), "value", 1)
    scale = unit or _RESOLUTION_UM.get(int(code or 1))
    sizes: Sizes = {}
    for axis, tag in (("x", "XResolution"), ("y", "YResolution")):
        stored = page.tags.get(tag)
        if scale is None or stored is None:
            continue
        pixels, per = stored.value if isinstance(stored.value, tuple) else (stored.value, 1)
        if not pixels or not per or _is_screen(pixels / per, unit, scale):
            continue
        size = notes.size(tag, scale * per / pixels)
        if size is not None:
            sizes[axis] = size
    if noted.get("spacing") is not None and unit is not None:
        distance = notes.attempt("the distance of slices", lambda: abs(number(noted["spacing"])), 0.0)
        size = notes.size("the distance of slices", distance or None, unit)
        if size is not None:
            sizes["z"] = size
    return sizes


def _is_screen(dots: float, unit: float | None, scale: float) -> bool:
    """Whether a resolution is one of screens and printers, which programs write that know of no size."""
    if unit is not None:
        return False
    if scale == _RESOLUTION_UM[2]:
        return round(dots, 3) in _SCREEN_INCH
    return dots == 1.0 or round(dots * 2.54, 0) in _SCREEN_INCH


_READERS: tuple[tuple[str, Callable[[Any, int, Notes], Sizes]], ...] = (
    ("the voxel size in the OME-XML", _ome),
    ("the voxel size of LSM", _lsm),
    ("the pixel size of MetaMorph", _metamorph),
    ("the pixel size of Micro-Manager", _micromanager),
    ("the pixel size of FEI", _fei),
    ("the pixel size of Zeiss", _zeiss),
    ("the pixel size of Olympus", _olympus),
    ("the pixel size of Aperio", _scanned_slide),
    ("the resolution", _resolution),
)
