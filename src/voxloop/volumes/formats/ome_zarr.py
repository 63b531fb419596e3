"""OME-Zarr 0.4 and 0.5 (and 0.3), local or anywhere fsspec reaches. Reads metadata only."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, takewhile
from typing import Any

from voxloop.errors import VolumeError, unknown
from voxloop.volumes.axes import letter_of
from voxloop.volumes.formats.contract import Contents, Format, Source
from voxloop.volumes.formats.plain_zarr import find_node, is_zarr, open_zarr
from voxloop.volumes.metadata import Notes, is_size, list_some, number, parse_assumed, parse_classes, unit_or_remark
from voxloop.volumes.parts import parts_of

_TYPES = {"channel": "c", "time": "t"}


def read(source: Source) -> Contents:
    """The resolution ``source.scale`` of a multiscale image."""
    group = open_zarr(source)
    node = find_node(group, source)
    notes = Notes()
    multiscales = multiscale(node)
    if multiscales is None:
        images = images_of(node)
        if len(images) != 1:
            wanted = unknown("image", source.dataset or "", images)
            raise VolumeError(f"{wanted} in {source.text}; name one with dataset=")
        node = node[images[0]]
        multiscales = multiscale(node)
        if multiscales is None:
            raise VolumeError(f"{source.text}: its image {images[0]!r} holds no multiscale metadata")
    datasets = _datasets(multiscales, node, notes)
    if not datasets:
        raise VolumeError(f"{source.text} names no array that is there; is the copy complete?")
    if source.scale >= len(datasets):
        raise VolumeError(f"{source.text} has {len(datasets)} scales; scale={source.scale} is not one of them")
    array = node[datasets[source.scale]["path"]]
    axes, units = notes.attempt(
        "the axes", lambda: _axes(multiscales, array.ndim), ("?" * array.ndim, [""] * array.ndim)
    )
    spacing, origin = notes.attempt(
        "the voxel size", lambda: _transform(multiscales, datasets, source.scale, axes, units, notes), ({}, {})
    )
    if _z_kind(node) == "frame" and "z" not in axes:
        spacing |= notes.attempt("voxloop's note", lambda: {"z": float(node.attrs["voxloop"]["spacing_um"][0])}, {})
    label = _metadata(node).get("image-label")
    classes = notes.attempt("its classes", lambda: _classes(node, label), [])
    return Contents(
        array=parts_of(array, axes, node.attrs.get("voxloop")) if source.scale == 0 else array,
        axes=axes,
        spacing_um=spacing,
        origin_um=origin,
        channel_names=notes.attempt("the names of channels", lambda: _channel_names(node, axes, array), None),
        chunks=tuple(array.chunks),
        far=source.path is None,
        z_kind=_z_kind(node),
        scale_count=len(datasets),
        assumed=notes.attempt("voxloop's note", lambda: _assumed(node), []),
        labels=label is not None,
        classes=classes,
        remarks=notes.remarks,
        losses=notes.losses,
    )


def _z_kind(node: Any) -> str:
    """What :func:`save_volume` noted, since OME-NGFF has no word for planes that are separate pictures."""
    noted = node.attrs.get("voxloop")
    return "frame" if isinstance(noted, Mapping) and noted.get("z_kind") == "frame" else "space"


def _assumed(node: Any) -> list[str]:
    noted = node.attrs.get("voxloop")
    return parse_assumed(noted.get("spacing_from_zyx")) if isinstance(noted, Mapping) else []


def _metadata(node: Any) -> Mapping[str, Any]:
    """The OME attributes: under ``ome`` from 0.5 on, at the top before."""
    attributes = dict(node.attrs)
    inner = attributes.get("ome")
    return inner if isinstance(inner, Mapping) else attributes


def multiscale(node: Any) -> Mapping[str, Any] | None:
    """The multiscale image that a group is, None where it is none."""
    images = _metadata(node).get("multiscales")
    if not hasattr(node, "members") or not isinstance(images, list) or not images or not isinstance(images[0], Mapping):
        return None
    return images[0] if isinstance(images[0].get("datasets"), list) else None


def images_of(group: Any) -> list[str]:
    """Names of the images in a collection: bioformats2raw series, label images, fields of a plate."""
    metadata = _metadata(group)
    if "bioformats2raw.layout" in metadata:
        series = metadata.get("series")
        named = [str(name) for name in series] if isinstance(series, list) else []
        return named or list(takewhile(lambda name: name in group, map(str, count())))
    if isinstance(metadata.get("labels"), list):
        return [str(name) for name in metadata["labels"]]
    for holder, part in (("plate", "wells"), ("well", "images")):
        listing = metadata.get(holder)
        if isinstance(listing, Mapping) and isinstance(listing.get(part), list):
            paths = [str(one["path"]) for one in listing[part] if isinstance(one, Mapping) and "path" in one]
            return [f"{path}/0" for path in paths] if holder == "plate" else paths
    return []


def _datasets(multiscales: Mapping[str, Any], node: Any, notes: Notes) -> list[Mapping[str, Any]]:
    """The resolutions whose arrays are there, finest first."""
    there: list[Mapping[str, Any]] = []
    missing = []
    for place, dataset in enumerate(multiscales["datasets"]):
        path = dataset.get("path") if isinstance(dataset, Mapping) else None
        node_there = isinstance(path, str) and path in node and hasattr(node[path], "shape")
        if node_there:
            there.append(dataset)
        else:
            missing.append(path if isinstance(path, str) else f"number {place}")
    if missing and there:
        words = f"scales {list_some(missing)} are named but not there"
        (notes.losses if multiscales["datasets"][0] not in there else notes.remarks).append(words)
    return there


def _axes(multiscales: Mapping[str, Any], ndim: int) -> tuple[str, list[str]]:
    """A letter and a unit for each axis; 0.3 has names only, 0.1 and 0.2 nothing. Raises ValueError."""
    given = multiscales.get("axes") or list("tczyx"[-ndim:])
    axes = [{"name": one} if isinstance(one, str) else dict(one) for one in given]
    if len(axes) != ndim:
        raise ValueError(f"{len(axes)} are named for an array of {ndim}")
    letters = [letter_of(axis.get("name", "")) for axis in axes]
    for place, axis in enumerate(axes):
        if letters[place] == "?":
            letters[place] = _TYPES.get(str(axis.get("type")), "?")
    spaces = [place for place, axis in enumerate(axes) if letters[place] == "?" and axis.get("type") == "space"]
    free = [letter for letter in "zyx" if letter not in letters]
    if spaces and len(spaces) <= len(free):
        for place, letter in zip(spaces, free[-len(spaces) :], strict=True):
            letters[place] = letter
    unique = [letter if letters.count(letter) == 1 else "?" for letter in letters]
    return "".join(unique), [str(axis.get("unit") or "") for axis in axes]


def _transform(
    multiscales: Mapping[str, Any],
    datasets: list[Mapping[str, Any]],
    scale: int,
    axes: str,
    units: list[str],
    notes: Notes,
) -> tuple[dict[str | int, float], dict[str | int, float]]:
    """Spacing and origin in micrometres, by place, from the dataset's transformations, then the image's.

    Many writers leave the translation of coarser scales out although they averaged blocks, whose centres lie half a
    block in; where no scale has one, it is put in.
    """
    factors, offsets, translated = _steps(datasets[scale], len(axes))
    if scale and not translated:
        finest, start, _ = _steps(datasets[0], len(axes))
        offsets = [s + (f - g) / 2 for s, f, g in zip(start, factors, finest, strict=True)]
    outer, shift, _ = _steps(multiscales, len(axes))
    sizes = [size * more for size, more in zip(factors, outer, strict=True)]
    places = [place for place, axis in enumerate(axes) if axis in "zyx?"]
    if not any(units[place] for place in places):
        if all(sizes[place] == 1.0 for place in places):
            return {}, {}
        notes.remarks.append("the voxel size has no unit; micrometres are assumed")
    spacing: dict[str | int, float] = {}
    origin: dict[str | int, float] = {}
    for place in places:
        um = unit_or_remark(notes, f"axis {axes[place]}", units[place]) if units[place] else 1.0
        if um is None:
            continue
        if not is_size(sizes[place] * um):
            notes.remarks.append(f"the scale of axis {axes[place]} is {sizes[place]:g}, which is no size")
            continue
        spacing[place] = sizes[place] * um
        origin[place] = (offsets[place] * outer[place] + shift[place]) * um
    return spacing, origin


def _steps(holder: Mapping[str, Any], ndim: int) -> tuple[list[float], list[float], bool]:
    """Scale and translation of each axis, and whether there is a translation. Raises ValueError."""
    factors, offsets, translated = [1.0] * ndim, [0.0] * ndim, False
    for step in holder.get("coordinateTransformations") or []:
        kind = step.get("type")
        if kind not in ("scale", "translation"):
            continue
        values = [number(value) for value in step[kind]]
        if len(values) != ndim:
            raise ValueError(f"a {kind} of {len(values)} numbers for {ndim} axes")
        if kind == "scale":
            factors = [f * v for f, v in zip(factors, values, strict=True)]
        else:
            offsets, translated = [o + v for o, v in zip(offsets, values, strict=True)], True
    return factors, offsets, translated


def _classes(node: Any, label: Any) -> list[Mapping[str, Any]]:
    """Classes of a label image: as voxloop notes them, else names and colours of the ``image-label`` metadata."""
    noted = node.attrs.get("voxloop")
    if isinstance(noted, Mapping) and noted.get("classes"):
        return list(parse_classes(noted["classes"]))
    if not isinstance(label, Mapping):
        return []
    colours = {int(one["label-value"]): one.get("rgba") for one in label.get("colors") or []}
    classes: list[Mapping[str, Any]] = []
    for one in label.get("properties") or []:
        name = one.get("name") or one.get("class")
        if not name:
            continue
        value = int(one["label-value"])
        if value == 0:  # no label, whatever it is called
            continue
        rgba = colours.get(value)
        colour = "#" + "".join(f"{int(part):02x}" for part in rgba[:3]) if rgba else ""
        classes.append({"value": value, "name": str(name), "color": colour})
    return classes


def _channel_names(node: Any, axes: str, array: Any) -> list[str] | None:
    omero = _metadata(node).get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    names = [str(channel.get("label") or i) for i, channel in enumerate(channels or [])]
    size = array.shape[axes.index("c")] if "c" in axes else None
    return names if names and len(names) == size else None


def _accepts(source: Source) -> bool:
    if source.items is not None or not is_zarr(source):
        return False
    group = open_zarr(source)
    node = find_node(group, source)
    return hasattr(node, "members") and (multiscale(node) is not None or bool(images_of(node)))


FORMAT = Format(name="OME-Zarr", suffixes=(".ome.zarr", ".zarr"), accepts=_accepts, read=read)
