"""HDF5 and NetCDF: one dataset of a file, read slice by slice. Knows no other format's attributes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError, nearest
from voxloop.volumes.axes import collect
from voxloop.volumes.formats.contract import Contents, Format, Source, has_suffix
from voxloop.volumes.formats.mapped import Mapped
from voxloop.volumes.formats.numbers import as_meant
from voxloop.volumes.metadata import (
    Notes,
    attribute_sizes,
    coordinate_step,
    first_line,
    length_unit,
    parse_assumed,
    parse_classes,
    text_of,
)

if TYPE_CHECKING:
    import h5py

SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5", ".nc", ".nc4", ".ilp", ".mat")
_CLASSIC = b"CDF"  # NetCDF 3 is no HDF5
#: axes of MATLAB's arrays as they lie in the file, by their number: rows, columns, pages, channels in reverse
_MATLAB = {2: "xy", 3: "zxy", 4: "czxy"}
#: a picture of BigDataViewer: time, setup, level
_BDV = re.compile(r"t\d+/s\d+/(\d+)/cells")


def read(source: Source) -> Contents:
    """The dataset that ``source.dataset`` names, or the only one."""
    import h5py

    path = Path(str(source.path))
    with path.open("rb") as file:
        start = file.read(6)
    if start[:3] == _CLASSIC:
        return _read_classic(path, source)
    if path.suffix.lower() == ".mat" and not h5py.is_hdf5(path):
        raise VolumeError(f"{path} is a MATLAB file of the older kind; save it in MATLAB with save(..., '-v7.3')")
    try:
        opened = h5py.File(path, "r")
    except OSError as error:
        raise VolumeError(f"{path} cannot be read as HDF5 ({first_line(error)}); is it complete?") from error
    notes = Notes()
    with opened:
        pictures = _meant(_pictures(opened), source)
        data = opened[choose(source, {name: item.shape for name, item in pictures.items()})]
        scales = partial(_scales, data, notes)
        names, steps = notes.attempt("the scales of its dimensions", scales, ([""] * data.ndim, {}))
        attributes = notes.attempt("its attributes", lambda: _attributes(data), {})
        if "MATLAB_class" in attributes and data.ndim in _MATLAB:
            attributes.setdefault("axes", _MATLAB[data.ndim])
            notes.remarks.append("MATLAB keeps rows first; the axes are put in order: rows are y, columns x, pages z")
        attributes |= notes.attempt("the XML beside it", lambda: _beside(path, opened, data.name), {})
        stored = Dataset(path, data)
        chunks = tuple(data.chunks) if data.chunks else None
    return describe(stored, attributes, names, steps, notes, chunks)


def describe(
    stored: Any,
    attributes: Mapping[str, Any],
    names: list[str],
    steps: Mapping[int, tuple[float, float]],
    notes: Notes,
    chunks: tuple[int, ...] | None,
) -> Contents:
    """Contents of an array that carries attributes, names of its dimensions, and step and start for some of them."""
    axes = collect(attributes, len(stored.shape), notes, names=names)
    sizes = attribute_sizes(attributes, notes)
    spacing: dict[str | int, float] = {**sizes, **{place: step for place, (step, _) in steps.items()}}
    for place in steps:  # coordinates say more than a single number does
        spacing.pop(axes[place], None)
    channels = attributes.get("channel_names")
    classes = attributes.get("classes")
    noted = [] if classes is None else notes.attempt("its classes", lambda: parse_classes(classes), [])
    return Contents(
        array=as_meant(stored, attributes, notes),
        axes=axes,
        spacing_um=spacing,
        origin_um={place: start for place, (_, start) in steps.items()},
        channel_names=None if channels is None else [text_of(name) for name in np.asarray(channels).reshape(-1)],
        z_kind="frame" if text_of(attributes.get("z_kind", "")) == "frame" else "space",
        chunks=chunks,
        assumed=parse_assumed(attributes.get("spacing_from_zyx")),
        labels=text_of(attributes.get("kind", "")) == "labels" or bool(noted),
        classes=noted,
        remarks=notes.remarks,
        losses=notes.losses,
    )


class Dataset:
    """A dataset that opens its file for each read: the file is not held, so others may write to it meanwhile."""

    def __init__(self, path: Path, data: h5py.Dataset) -> None:
        self._path, self._name = path, data.name
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        import h5py

        with h5py.File(self._path, "r") as file:
            return np.asarray(file[self._name][key])


def choose(source: Source, shapes: dict[str, tuple[int, ...]]) -> str:
    """The dataset that is meant, among ``shapes`` by name. Raises VolumeError listing them where it is not clear."""
    listed = "; ".join(f"{name!r} {shape}" for name, shape in shapes.items()) or "none with two axes or more"
    if source.dataset is not None:
        wanted = source.dataset.strip("/")
        if wanted in shapes:
            return wanted
        close = nearest(wanted, shapes)
        hint = f"; did you mean {close!r}?" if close else ""
        raise VolumeError(f"{source.text} has no dataset {source.dataset!r}; there are {listed}{hint}")
    if len(shapes) == 1:
        return next(iter(shapes))
    if not shapes:
        raise VolumeError(f"{source.text} holds no picture: there are {listed}")
    raise VolumeError(f"{source.text} holds several datasets; name one with dataset=: {listed}")


def _pictures(group: h5py.Group) -> dict[str, h5py.Dataset]:
    import h5py

    pictures: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim >= 2:
            pictures[name] = item

    group.visititems(visit)
    return pictures


def _meant(pictures: dict[str, h5py.Dataset], source: Source) -> dict[str, h5py.Dataset]:
    """Without what MATLAB keeps for itself, and of BigDataViewer the pictures alone, the finest unless one is named."""
    pictures = {name: item for name, item in pictures.items() if not name.startswith("#")}
    levels = {name: int(place[1]) for name in pictures if (place := _BDV.fullmatch(name))}
    if not levels:
        return pictures
    return {name: pictures[name] for name, level in levels.items() if level == 0 or source.dataset is not None}


def _attributes(data: h5py.Dataset) -> dict[str, Any]:
    """The attributes that can be read; references and other types of HDF5 are passed over."""
    attributes = {}
    for name in data.attrs:
        try:
            attributes[name] = data.attrs[name]
        except (OSError, TypeError, ValueError, KeyError, RuntimeError):
            continue
    return attributes


def _beside(path: Path, opened: h5py.File, name: str) -> dict[str, Any]:
    """Size and sign of a dataset of BigDataViewer, whose XML of the same name says them; nothing for any other."""
    place = re.fullmatch(r"/t\d+/s(\d+)/(\d+)/cells", name)
    if place is None:
        return {}
    noted: dict[str, Any] = {"axes": "zyx", "_Unsigned": "true"}
    xml = path.with_suffix(".xml")
    if not xml.is_file():
        return noted
    text = xml.read_text(encoding="utf-8", errors="replace")
    setups = re.findall(r"<ViewSetup>.*?</ViewSetup>", text, re.DOTALL)
    mine = next((one for one in setups if re.search(rf"<id>\s*{int(place[1])}\s*</id>", one)), "")
    size = re.search(r"<voxelSize>.*?<unit>(.*?)</unit>.*?<size>(.*?)</size>.*?</voxelSize>", mine, re.DOTALL)
    unit = length_unit(size[1]) if size else None
    if size is None or unit is None:
        return noted
    factors = np.asarray(opened[f"s{place[1]}/resolutions"])[int(place[2])]
    steps = [float(value) * factor * unit for value, factor in zip(size[2].split(), factors, strict=True)]
    return {**noted, "element_size_um": steps[::-1]}


def _scales(data: h5py.Dataset, notes: Notes) -> tuple[list[str], dict[int, tuple[float, float]]]:
    """Names of dimensions, and step and start of those with coordinates, as NetCDF keeps them."""
    names: list[str] = []
    steps: dict[int, tuple[float, float]] = {}
    for place, dim in enumerate(data.dims):
        scale = dim[0] if len(dim) else None
        names.append(dim.label or (scale.name.rsplit("/", 1)[-1] if scale is not None else ""))
        if scale is None or scale.ndim != 1 or scale.shape[0] < 2 or scale.dtype.kind not in "iuf":
            continue
        if "units" in scale.attrs:
            step = coordinate_step(scale[:], text_of(scale.attrs["units"]), str(names[-1]), notes)
            if step is not None:
                steps[place] = step
    return names, steps


def _read_classic(path: Path, source: Source) -> Contents:
    """NetCDF 3, memory mapped by scipy."""
    from scipy.io import netcdf_file

    opened = netcdf_file(path, "r", mmap=True)
    numeric = {name: item for name, item in opened.variables.items() if item.data.dtype.kind in "biuf"}
    variables = {name: item for name, item in numeric.items() if len(item.shape) >= 2}
    data = variables[choose(source, {name: item.shape for name, item in variables.items()})]
    names = [str(name) for name in data.dimensions]
    notes = Notes()

    def coordinates() -> dict[int, tuple[float, float]]:
        steps = {}
        for place, name in enumerate(names):
            axis = opened.variables.get(name)
            if axis is not None and len(axis.shape) == 1 and hasattr(axis, "units"):
                step = coordinate_step(np.array(axis[:]), text_of(axis.units), name, notes)
                if step is not None:
                    steps[place] = step
        return steps

    steps = notes.attempt("the coordinates of its dimensions", coordinates, {})
    described = describe(Mapped(data.data), dict(data._attributes), names, steps, notes, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that the voxels stay mapped, as they are meant to
        opened.close()
    return described


FORMAT = Format(name="HDF5/NetCDF", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read)
