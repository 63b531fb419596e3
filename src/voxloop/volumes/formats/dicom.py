"""DICOM series through pydicom: a folder of slices or a file of many frames, in millimetres, one slice at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import VolumeError, unknown
from voxloop.volumes.formats.anatomy import LPS, oriented
from voxloop.volumes.formats.contract import Contents, Format, LazyArray, Source
from voxloop.volumes.formats.extra import needed
from voxloop.volumes.formats.numbers import Scaled
from voxloop.volumes.formats.picture_file import SUFFIXES as PICTURES
from voxloop.volumes.metadata import Notes, first_line

SUFFIXES = (".dcm", ".dicom", ".ima")
_MILLIMETER = 1e3
#: files of a folder without telling names that are looked into
_LOOKED_AT = 40
#: bytes before the letters that every file begins with
_PREAMBLE, _MAGIC = 128, b"DICM"
#: of the step: slices further from their place than this are not evenly spaced
_UNEVEN = 0.02


@dataclass(frozen=True, slots=True)
class Slice:
    """One file of a series, without its voxels."""

    path: Path
    header: Any
    place: float | None


class Slices:
    """The files of a series as an array (z, y, x) or (z, y, x, s); the one last looked at is kept decoded."""

    def __init__(
        self,
        paths: Sequence[Path],
        shape: tuple[int, ...],
        dtype: Any,
        rules: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        self._paths = list(paths)
        self._rules = rules  # slope and intercept of each
        self.shape, self.dtype, self.ndim = shape, np.dtype(dtype), len(shape)
        self._last: tuple[Path, np.ndarray] | None = None

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        which, *rest = key
        return np.stack([self._scaled(at)[tuple(rest)] for at in range(*which.indices(len(self._paths)))])

    def _scaled(self, at: int) -> np.ndarray:
        plane = self._plane(self._paths[at])
        if self._rules is None:
            return plane
        slope, intercept = self._rules[at]
        return (plane * slope + intercept).astype(self.dtype)

    def _plane(self, path: Path) -> np.ndarray:
        last = self._last
        if last is not None and last[0] == path:
            return last[1]
        plane = _pixels(path)
        self._last = path, plane
        return plane


class FramesOfOne:
    """The frames of one file, each decoded when it is asked for."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any) -> None:
        self._path = path
        self.shape, self.dtype, self.ndim = shape, np.dtype(dtype), len(shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        from pydicom.pixels.utils import pixel_array

        which, *rest = key
        frames = range(*which.indices(self.shape[0]))
        return np.stack([np.asarray(pixel_array(self._path, index=at))[tuple(rest)] for at in frames])


def _pixels(path: Path) -> np.ndarray:
    from pydicom.pixels.utils import pixel_array

    return np.asarray(pixel_array(path))


def read(source: Source) -> Contents:
    """The series that ``source.dataset`` names, or the only one."""
    pydicom = needed("pydicom", "DICOM")
    if source.scale:
        raise VolumeError(f"{source.text} has no scales, no DICOM series has; leave scale= out")
    notes = Notes()
    headers = _headers(pydicom, source, notes)
    series = _series(headers, source)
    first = series[0].header
    frames = int(getattr(first, "NumberOfFrames", 1) or 1)
    if frames > 1 and len(series) > 1:
        raise VolumeError(
            f"{source.text} holds {len(series)} files of several frames each; open one of them, {series[0].path.name}"
        )
    series = _in_order(series, notes)
    _check_alike(series)
    samples = int(getattr(first, "SamplesPerPixel", 1))
    shape: tuple[int, ...] = (max(frames, len(series)), int(first.Rows), int(first.Columns))
    shape = (*shape, samples) if samples > 1 else shape
    dtype = _dtype(first)
    paths = [one.path for one in series]
    stored: LazyArray = FramesOfOne(paths[0], shape, dtype) if frames > 1 else Slices(paths, shape, dtype)
    array = _as_meant(stored, paths, [one.header for one in series], notes)
    sizes = notes.attempt("the voxel size", partial(_sizes, series, frames, notes), {})
    letters = "zyxs"[: len(shape)]
    anatomy = ""
    directions = notes.attempt("its orientation", partial(_directions, first, len(shape)), None)
    if directions is not None:
        before = array
        letters, array = notes.attempt(
            "how it lies", lambda: oriented(before, letters, directions, notes), (letters, before)
        )
        anatomy = LPS
    return Contents(
        array=array,
        axes=letters,
        spacing_um=sizes,
        chunks=(1, *shape[1:]) if letters[0] == "z" else None,
        anatomy=anatomy,
        remarks=notes.remarks,
        losses=notes.losses,
    )


def _headers(pydicom: Any, source: Source, notes: Notes) -> list[Slice]:
    """All files of the source that are pictures, without their voxels."""
    path = Path(str(source.path))
    files = [path] if path.is_file() else sorted(one for one in path.iterdir() if _is_dicom(one))
    slices = []
    for file in files:
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True, force=False)
        except Exception as error:  # whatever a damaged file makes pydicom raise
            if len(files) == 1:
                raise VolumeError(f"{file} cannot be read as DICOM ({first_line(error)}); is it complete?") from error
            notes.losses.append(f"{file.name} cannot be read ({first_line(error)}) and is left out")
            continue
        if hasattr(header, "Rows") and hasattr(header, "Columns"):
            slices.append(Slice(file, header, _along_normal(header)))
    if not slices:
        raise VolumeError(f"{source.text} holds no DICOM picture; an index (DICOMDIR) or a report is none")
    return slices


def _series(headers: list[Slice], source: Source) -> list[Slice]:
    """The files of one series. Raises VolumeError that lists them where there are several."""
    by_series: dict[str, list[Slice]] = defaultdict(list)
    for one in headers:
        by_series[str(getattr(one.header, "SeriesInstanceUID", ""))].append(one)
    titled = {_title(slices, uid, by_series): slices for uid, slices in by_series.items()}
    if source.dataset is not None:
        if source.dataset not in titled:
            raise VolumeError(f"{unknown('dataset', source.dataset, titled)} in {source.text}")
        return titled[source.dataset]
    if len(titled) > 1:
        listed = "; ".join(
            f"{title!r} {(len(slices), int(slices[0].header.Rows), int(slices[0].header.Columns))}"
            for title, slices in titled.items()
        )
        raise VolumeError(f"{source.text} holds several datasets; name one with dataset=: {listed}")
    return next(iter(titled.values()))


def _title(slices: list[Slice], uid: str, by_series: dict[str, list[Slice]]) -> str:
    """A series by its number and description, with the end of its identifier where that is not its own."""

    def plain(one: Slice) -> str:
        header = one.header
        words = f"{getattr(header, 'SeriesNumber', '') or ''} {getattr(header, 'SeriesDescription', '') or ''}"
        return " ".join(words.split()) or "series"

    title = plain(slices[0])
    alike = [other for other, members in by_series.items() if plain(members[0]) == title]
    return title if len(alike) == 1 else f"{title} {uid[-12:]}"


def _along_normal(header: Any) -> float | None:
    """Millimetres along the normal of the slices; None where the header does not say how it lies."""
    try:
        row, column = np.asarray(header.ImageOrientationPatient, float).reshape(2, 3)
        normal = np.cross(row, column)
        place = float(normal @ np.asarray(header.ImagePositionPatient, float))
        return place if np.isfinite(place) and normal.any() else None
    except (AttributeError, TypeError, ValueError):
        return None


def _in_order(series: list[Slice], notes: Notes) -> list[Slice]:
    """By their place along the normal; by their number where one does not say it."""
    if len(series) == 1:
        return series
    places = [one.place for one in series]
    if None not in places:
        ordered = sorted(series, key=lambda one: float(one.place or 0))
        steps = np.diff([float(one.place or 0) for one in ordered])
        if (steps <= 1e-6).any():
            raise VolumeError(
                f"several slices of the series lie at the same place, {ordered[0].path.name} and others: it holds "
                "several volumes (times, echoes); put each into a folder of its own"
            )
        return ordered
    notes.remarks.append("where the slices lie is not stated; they are in the order of their numbers")
    return sorted(series, key=lambda one: (int(getattr(one.header, "InstanceNumber", 0) or 0), one.path.name))


def _check_alike(series: list[Slice]) -> None:
    """Raise VolumeError, naming the first that differs, where files do not make one stack."""

    def kind(header: Any) -> tuple[Any, ...]:
        names = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "PixelRepresentation")
        return tuple(getattr(header, name, None) for name in names)

    for one in series:
        if kind(one.header) != kind(series[0].header):
            raise VolumeError(
                f"the slices of the series are of several kinds: {series[0].path.name} has "
                f"{kind(series[0].header)}, {one.path.name} {kind(one.header)} (rows, columns, samples, bits, sign)"
            )


def _dtype(header: Any) -> np.dtype:
    bits, sign = int(header.BitsAllocated), int(getattr(header, "PixelRepresentation", 0))
    if bits == 1:
        return np.dtype(np.uint8)
    if "FloatPixelData" in header or "DoubleFloatPixelData" in header:
        return np.dtype(f"f{bits // 8}")
    return np.dtype(f"{'i' if sign else 'u'}{bits // 8}")


def _as_meant(stored: LazyArray, paths: Sequence[Path], headers: Sequence[Any], notes: Notes) -> LazyArray:
    """Numbers as the series says they are meant: Hounsfield units, or activities, whose scale is another each slice."""
    if str(getattr(headers[0], "PhotometricInterpretation", "")) == "MONOCHROME1":
        notes.remarks.append("the file says that 0 is white; numbers are as they are stored, so it looks inverted here")

    def rule(header: Any) -> tuple[float, float]:
        return float(getattr(header, "RescaleSlope", 1) or 1), float(getattr(header, "RescaleIntercept", 0) or 0)

    rules = notes.attempt("what its numbers mean", lambda: [rule(header) for header in headers], [(1.0, 0.0)])
    if len(set(rules)) > 1:
        notes.remarks.append("the stored numbers of each slice are multiplied and raised by its own, as the file says")
        return Slices(paths, stored.shape, np.float32, rules)
    slope, intercept = rules[0]
    if (slope, intercept) == (1.0, 0.0):
        return stored
    notes.remarks.append(
        f"the stored numbers are multiplied by {slope:g} and raised by {intercept:g}, as the file says"
    )
    return Scaled(stored, slope, intercept, None)


def _sizes(series: list[Slice], frames: int, notes: Notes) -> dict[str | int, float]:
    """Micrometres by the place of an axis: z, y, x as stored."""
    header = series[0].header
    measures = _shared(header, "PixelMeasuresSequence")
    spacing = getattr(header, "PixelSpacing", None) or getattr(measures, "PixelSpacing", None)
    if spacing is None:
        spacing = getattr(header, "ImagerPixelSpacing", None)
    sizes: dict[str | int, float] = {}
    if spacing is not None:
        for place, value in zip((1, 2), spacing, strict=True):
            size = notes.size("the pixel size", float(value), _MILLIMETER)
            if size is not None:
                sizes[place] = size
    step = _step(series, notes) if frames == 1 else None
    if step is None:
        for holder in (header, measures):
            thickness = getattr(holder, "SpacingBetweenSlices", None) or getattr(holder, "SliceThickness", None)
            step = float(thickness) if thickness and step is None else step
    if step is not None:
        size = notes.size("the distance of slices", abs(step), _MILLIMETER)
        if size is not None:
            sizes[0] = size
    return sizes


def _step(series: list[Slice], notes: Notes) -> float | None:
    """Millimetres from slice to slice; what is missing between them is a loss."""
    places = [one.place for one in series if one.place is not None]
    if len(places) != len(series) or len(places) < 2:
        return None
    steps = np.diff(places)
    counts = np.rint(steps / steps.min())
    step = float(np.sum(steps) / np.sum(counts))
    missing = int(np.sum(counts - 1))
    if missing > 0:
        notes.losses.append(f"{missing} slices seem to be missing: there are gaps of up to {counts.max():.0f} steps")
    elif (np.abs(steps - counts * step) > _UNEVEN * step).any():
        notes.remarks.append(
            f"slices are {steps.min():.4g} to {steps.max():.4g} mm apart and shown as if all were {step:.4g}"
        )
    return step


def _shared(header: Any, name: str) -> Any:
    """An item of the functional groups of a file of many frames: shared by all, or that of the first."""
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in getattr(header, groups, ())[:1]:
            for item in getattr(group, name, ())[:1]:
                return item
    return None


def _directions(header: Any, count: int) -> list[Any] | None:
    """Directions of z, y, x (and None for colours); None where the header does not say how it lies."""
    holder = _shared(header, "PlaneOrientationSequence") or header
    given = getattr(holder, "ImageOrientationPatient", None)
    if given is None:
        return None
    row, column = np.asarray(given, float).reshape(2, 3)
    if not np.cross(row, column).any():
        raise ValueError("its rows and columns run the same way")
    return [np.cross(row, column), column, row, *[None] * (count - 3)]


def _is_dicom(path: Path) -> bool:
    if path.name.startswith(".") or not path.is_file() or path.name.upper() == "DICOMDIR":
        return False
    with path.open("rb") as file:
        return file.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC


def _accepts(source: Source) -> bool:
    """By name; a folder by whether the first of its files begins as they all do."""
    if source.items is not None or source.path is None:
        return False
    if source.path.is_file():
        return source.path.suffix.lower() in SUFFIXES or (not source.path.suffix and _is_dicom(source.path))
    files = [one for one in source.path.iterdir() if not one.name.startswith(".") and one.is_file()]
    named = sum(one.suffix.lower() in SUFFIXES for one in files)
    if named:
        return named >= sum(one.suffix.lower() in PICTURES for one in files)
    nameless = [one for one in sorted(files) if one.suffix.lower() not in PICTURES]
    return any(_is_dicom(one) for one in nameless[:_LOOKED_AT])


FORMAT = Format(name="DICOM", suffixes=SUFFIXES, accepts=_accepts, read=read)
