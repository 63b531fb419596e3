"""OME-NGFF 0.5 metadata of a label image, as napari and ome-zarr read it: axes, scale, class names, colours. Pure."""

from __future__ import annotations

from typing import Any

from voxloop.store.classes import Level
from voxloop.store.document import ImageInfo


def label_metadata(level: Level, image: ImageInfo) -> dict[str, Any]:
    """Attributes of the group around one label array.

    Source: https://ngff.openmicroscopy.org/0.5 (multiscales, image-label).
    """
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in ("z", "y", "x")]
    scale = {"type": "scale", "scale": list(image.spacing_um)}
    multiscale = {
        "name": level.name,
        "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
    }
    colors = [{"label-value": 0, "rgba": [0, 0, 0, 0]}]
    properties: list[dict[str, Any]] = []
    for item in level.classes:
        rgb = [int(item.color[i : i + 2], 16) for i in (1, 3, 5)]
        colors.append({"label-value": item.value, "rgba": [*rgb, 255]})
        properties.append({"label-value": item.value, "class": item.name})
    if properties:  # the standard wants a name for each colour
        properties.insert(0, {"label-value": 0, "class": "unlabelled"})
    label = {"colors": colors, "properties": properties, "version": "0.5"}
    if not properties:
        del label["properties"]
    return {"ome": {"version": "0.5", "multiscales": [multiscale], "image-label": label}}
