"""OME-Zarr 0.4 and 0.5 (and 0.3), local or anywhere fsspec reaches. Reads metadata only."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, takewhile
from typing import Any

from voxloop.errors import VolumeError, unknown
from voxloop.geometry import unit_um
from voxloop.volumes.formats.contract import Format, Found, Source
from voxloop.volumes.formats.plain_zarr import is_zarr, open_zarr, wanted_node


def read(source: Source) -> Found:
    """The resolution ``source.scale`` of a multiscale image."""
    group = open_zarr(source)
    return read_group(group, source)


def read_group(group: Any, source: Source) -> Found:
    """The image of an opened group; ``source.dataset`` names a subgroup (a series, a label image)."""
    node = wanted_node(group, source)
    multiscales = multiscale(node)
    if multiscales is None:
        images = images_of(group)
        if len(images) == 1 and source.dataset is None:
            node = group[images[0]]
            multiscales = multiscale(node)
        else:
            raise VolumeError(
                unknown("image", source.dataset or "", images) + f" in {source.text}; name one with dataset="
            )
    assert multiscales is not None
    datasets = multiscales["datasets"]
    if not 0 <= source.scale < len(datasets):
        raise VolumeError(f"{source.text} has {len(datasets)} scales; scale={source.scale} is not one of them")
    array = node[datasets[source.scale]["path"]]
    axes = _axes(multiscales, array.ndim)
    spacing, origin = _transform(multiscales, source.scale, axes, node)
    return Found(
        array=array,
        axes="".join(name for name, _ in axes),
        spacing_um=spacing,
        origin_um=origin,
        channel_names=_channel_names(node, axes, array),
        chunks=tuple(array.chunks),
        z_kind=_z_kind(node),
        scale_count=len(datasets),
        labels="image-label" in _metadata(node),
    )


def _z_kind(node: Any) -> str:
    """What :func:`save_volume` noted, since OME-NGFF has no word for planes that are separate pictures."""
    noted = node.attrs.get("voxloop")
    return "frame" if isinstance(noted, Mapping) and noted.get("z_kind") == "frame" else "space"


def _metadata(node: Any) -> Mapping[str, Any]:
    """The OME attributes: under ``ome`` from 0.5 on, at the top before."""
    attributes = dict(node.attrs)
    inner = attributes.get("ome")
    return inner if isinstance(inner, Mapping) else attributes


def multiscale(node: Any) -> Mapping[str, Any] | None:
    """The multiscale image that a group is, None where it is none."""
    found = _metadata(node).get("multiscales")
    return found[0] if isinstance(found, list) and found and hasattr(node, "members") else None


def images_of(group: Any) -> list[str]:
    """Names of the images in a collection (bioformats2raw series, label images)."""
    metadata = _metadata(group)
    if "bioformats2raw.layout" in metadata:
        return list(metadata.get("series") or takewhile(lambda name: name in group, map(str, count())))
    if isinstance(metadata.get("labels"), list):
        return list(metadata["labels"])
    return []


def _axes(multiscales: Mapping[str, Any], ndim: int) -> list[tuple[str, str]]:
    """(name, unit) for each axis; 0.3 has names only."""
    given = multiscales.get("axes") or list("tczyx"[-ndim:])
    axes = [(a, "") if isinstance(a, str) else (str(a["name"]), str(a.get("unit") or "")) for a in given]
    if len(axes) != ndim:
        raise VolumeError(f"the multiscale metadata names {len(axes)} axes for an array of {ndim}")
    return [(name.lower(), unit) for name, unit in axes]


def _transform(
    multiscales: Mapping[str, Any], scale: int, axes: list[tuple[str, str]], node: Any
) -> tuple[dict[str, float], dict[str, float]]:
    """Spacing and origin in micrometres from the dataset's transformations, then the image's.

    Many writers leave the translation of coarser scales out although they averaged blocks, whose centres lie half a
    block in; where no scale has one, it is put in.
    """
    factors, offsets, translated = _steps(multiscales["datasets"][scale], len(axes))
    if scale and not translated:
        finest, start, _ = _steps(multiscales["datasets"][0], len(axes))
        offsets = [s + (f - g) / 2 for s, f, g in zip(start, factors, finest, strict=True)]
    outer, shift, _ = _steps(multiscales, len(axes))
    spacing, origin = {}, {}
    for (name, unit), size, offset, more, by in zip(axes, factors, offsets, outer, shift, strict=True):
        if name not in tuple("zyx"):
            continue
        um = unit_um(unit) if unit else 1.0
        if unit or size * more != 1.0:
            spacing[name] = size * more * um
        origin[name] = (offset * more + by) * um
    return spacing, origin


def _steps(holder: Mapping[str, Any], ndim: int) -> tuple[list[float], list[float], bool]:
    factors, offsets, translated = [1.0] * ndim, [0.0] * ndim, False
    for step in holder.get("coordinateTransformations") or []:
        if step.get("type") == "scale":
            factors = [f * float(v) for f, v in zip(factors, step["scale"], strict=True)]
        elif step.get("type") == "translation":
            offsets, translated = [o + float(v) for o, v in zip(offsets, step["translation"], strict=True)], True
    return factors, offsets, translated


def _channel_names(node: Any, axes: list[tuple[str, str]], array: Any) -> list[str] | None:
    omero = _metadata(node).get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    names = [str(channel.get("label") or i) for i, channel in enumerate(channels or [])]
    sizes = {name: size for (name, _), size in zip(axes, array.shape, strict=True)}
    return names if names and len(names) == sizes.get("c") else None


def _accepts(source: Source) -> bool:
    if source.items is not None or not is_zarr(source):
        return False
    group = open_zarr(source)
    node = wanted_node(group, source)
    return hasattr(node, "members") and (multiscale(node) is not None or bool(images_of(group)))


FORMAT = Format(name="OME-Zarr", suffixes=(".ome.zarr", ".zarr"), accepts=_accepts, read=read)
