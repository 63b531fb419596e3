"""COCO, labelme and GeoJSON (QuPath) as outlines and back. Their coordinates are pixel corners, as ImageJ's are."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.store.atomic import replace_json
from voxloop.store.outlines import Outline, name_of, outlines_of
from voxloop.store.strokes import PlaneMask
from voxloop.volumes.metadata import first_line

if TYPE_CHECKING:
    from voxloop.store.label_contract import OpenLabels

_CIRCLE = 64  # corners of a circle


def read(path: Path, labels: OpenLabels) -> list[Outline]:
    """The outlines of a JSON file. Raises LabelError where it holds no annotations of a kind that is known."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise LabelError(f"{path} cannot be read as JSON ({error})") from error
    try:
        if isinstance(content, dict) and "annotations" in content and "images" in content:
            return _from_coco(content, labels)
        if isinstance(content, dict) and isinstance(content.get("shapes"), list):
            return _from_labelme(content, labels)
        features = _features(content)
        if features is not None:
            return [one for feature in features for one in _from_feature(feature)]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, LabelError):
            raise
        words = f"{error} is missing" if isinstance(error, KeyError) else first_line(error)
        raise LabelError(f"{path} holds annotations that are not as they should be ({words})") from error
    raise LabelError(
        f"{path} holds no annotations of COCO, labelme or GeoJSON; other outlines come as an ROI set (.zip)"
    )


def save(labels: OpenLabels, path: Path) -> Path:
    """Write COCO (``.json``) or GeoJSON (``.geojson``)."""
    content = _geojson(labels) if path.suffix.lower() == ".geojson" else _coco(labels)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_json(path, content)
    except OSError as error:
        raise LabelError(f"{path} cannot be written ({error.strerror}); choose another place") from error
    return path


# --------------------------------------------------------------------------------------------------------------- in


def _ring(points: Sequence[Sequence[float]]) -> np.ndarray:
    """Corners (x, y) as (row, column) of voxel centres."""
    corners = np.asarray(points, float)[:, :2]
    if not np.isfinite(corners).all():
        raise ValueError("a corner is no number")
    return corners[:, ::-1] - 0.5


def _from_coco(content: Mapping[str, Any], labels: OpenLabels) -> list[Outline]:
    names = {one["id"]: str(one["name"]) for one in content.get("categories") or []}
    slices = _slices_by_id(content["images"], labels)
    for image in content["images"]:
        if image.get("id") in slices:
            _check_size(image.get("height"), image.get("width"), labels)
    found: list[Outline] = []
    for one in content["annotations"]:
        if one.get("image_id") not in slices:
            continue
        label = names.get(one.get("category_id"))
        place = slices[one["image_id"]]
        key = str(one["object"]) if "object" in one else f"annotation {one.get('id', len(found))}"
        shape = one.get("segmentation")
        if isinstance(shape, Mapping):
            height, width = shape["size"]
            _check_size(height, width, labels)
            mask = PlaneMask((0, 0), _from_run_lengths(shape))
            found.append(Outline(mask=mask, name=label or key, label=label, slice=place, object=key))
            continue
        if not shape:  # nothing but a box
            left, top, width, height = one["bbox"]
            shape = [[left, top, left + width, top, left + width, top + height, left, top + height]]
        for flat in shape:
            ring = _ring(np.asarray(flat, float).reshape(-1, 2).tolist())
            found.append(Outline(rings=[ring], name=label or key, label=label, slice=place, object=key))
    if not found:
        listed = ", ".join(repr(one.get("file_name")) for one in content["images"][:4])
        raise LabelError(f"none of the annotations is on this image; they are on {listed}")
    return found


def _check_size(height: Any, width: Any, labels: OpenLabels) -> None:
    """Raise LabelError where annotations were drawn on a picture of another size; None says nothing."""
    rows, columns = labels.shape[1:]
    if None not in (height, width) and (int(height), int(width)) != (rows, columns):
        raise LabelError(
            f"the annotations are of a picture of {height} x {width} pixels (y, x), this image has {rows} x {columns}"
        )


def _slices_by_id(images: Sequence[Mapping[str, Any]], labels: OpenLabels) -> dict[Any, int | None]:
    """Which slice each image of the annotations is: by its file's name, or the only one there is."""
    files = _files_of(labels)
    named = {one["id"]: files[Path(str(one.get("file_name", ""))).name] for one in images if _name(one) in files}
    if named and any(place is not None for place in named.values()):
        return named
    if all(isinstance(one.get("slice"), int) for one in images):  # as voxloop numbers them
        return {one["id"]: int(one["slice"]) for one in images}
    if named:
        return named
    if len(images) == 1:
        size = images[0].get("height"), images[0].get("width")
        if size in ((None, None), labels.shape[1:]):
            return {images[0]["id"]: None}
    return {}


def _name(image: Mapping[str, Any]) -> str:
    return Path(str(image.get("file_name", ""))).name


def _files_of(labels: OpenLabels) -> dict[str, int | None]:
    """Names of the files that the image is made of, and the slice of each; None where it is one file of all slices."""
    from voxloop.volumes.formats.pictures import pictures_in

    source = labels.facts().source
    if isinstance(source, tuple):
        return {Path(one).name: place for place, one in enumerate(source)}
    if not isinstance(source, str):
        return {}
    path = Path(source)
    if path.is_dir() and path.suffix != ".zarr":
        return {one.name: place for place, one in enumerate(pictures_in(path))}
    return {path.name: 0 if labels.shape[0] == 1 else None}


def _from_run_lengths(shape: Mapping[str, Any]) -> np.ndarray:
    """A mask from COCO's run lengths, column by column, numbers or packed as text. Source: pycocotools, maskApi.c."""
    height, width = (int(n) for n in shape["size"])
    counts = shape["counts"]
    runs = _unpacked(counts) if isinstance(counts, str) else [int(n) for n in counts]
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError("its run lengths do not fill the picture")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def _unpacked(text: str) -> list[int]:
    """Run lengths from COCO's text: six bits a letter, five of them a digit, differences from the one before last."""
    runs: list[int] = []
    place = 0
    while place < len(text):
        number, shift, more = 0, 0, True
        while more:
            bits = ord(text[place]) - 48
            number |= (bits & 0x1F) << shift
            more = bool(bits & 0x20)
            place += 1
            shift += 5
            if not more and bits & 0x10:
                number -= 1 << shift
        if len(runs) > 2:
            number += runs[-2]
        runs.append(number)
    return runs


def _from_labelme(content: Mapping[str, Any], labels: OpenLabels) -> list[Outline]:
    _check_size(content.get("imageHeight"), content.get("imageWidth"), labels)
    files = _files_of(labels)
    place = files.get(Path(str(content.get("imagePath") or "").replace("\\", "/")).name)
    found = []
    for number, shape in enumerate(content["shapes"]):
        kind = str(shape.get("shape_type") or "polygon")
        label = str(shape.get("label") or "")
        group = shape.get("group_id")
        key = f"{label} {group}" if group is not None else str(number)
        common: dict[str, Any] = {"name": label, "label": label or None, "slice": place, "object": key}
        if kind == "mask":
            found.append(Outline(mask=_labelme_mask(shape, labels), **common))
            continue
        rings, what = _labelme_rings(kind, shape["points"])
        found.append(Outline(rings=rings, kind=what, **common))
    return found


def _labelme_mask(shape: Mapping[str, Any], labels: OpenLabels) -> PlaneMask:
    """A painted shape of labelme: a small picture and the corner where it lies."""
    import imagecodecs

    column, row = (max(0, round(float(n))) for n in shape["points"][0])
    painted = np.asarray(imagecodecs.png_decode(base64.b64decode(shape["mask"])))
    rows, columns = labels.shape[1:]
    return PlaneMask((row, column), painted.reshape(*painted.shape[:2], -1)[: rows - row, : columns - column, 0] > 0)


def _labelme_rings(kind: str, points: Sequence[Sequence[float]]) -> tuple[list[np.ndarray], str]:
    """Rings of a shape of labelme, and whether it is an area, a line or points."""
    if kind == "rectangle":
        (left, top), (right, bottom) = points[0], points[1]
        return [_ring([(left, top), (right, top), (right, bottom), (left, bottom)])], "area"
    if kind == "circle":
        centre, edge = np.asarray(points, float)[:2]
        angles = np.linspace(0, 2 * np.pi, _CIRCLE, endpoint=False)
        radius = float(np.hypot(*(edge - centre)))
        return [_ring(centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1))], "area"
    if kind == "polygon":
        return [_ring(points)], "area"
    if kind not in ("line", "linestrip", "point", "points"):
        raise LabelError(f"shape {kind!r} is none that can be drawn; there are areas, masks, lines and points")
    return [_ring(points)], "point" if kind in ("point", "points") else "line"


def _features(content: Any) -> list[Mapping[str, Any]] | None:
    """The features of GeoJSON: a collection, a single one, or a list of them as QuPath exports it."""
    if isinstance(content, dict) and isinstance(content.get("features"), list):
        return list(content["features"])
    if isinstance(content, dict) and content.get("type") == "Feature":
        return [content]
    if isinstance(content, list) and content and all(isinstance(one, dict) and "geometry" in one for one in content):
        return content
    return None


def _from_feature(feature: Mapping[str, Any]) -> list[Outline]:
    geometry = feature["geometry"]
    if geometry is None:
        return []  # an annotation without a place, which GeoJSON allows
    if geometry["type"] == "GeometryCollection":
        return [one for part in geometry["geometries"] for one in _from_feature({**feature, "geometry": part})]
    noted = feature.get("properties") or {}
    classification = noted.get("classification")
    named = _class_name(classification) if isinstance(classification, Mapping) else noted.get("class")
    plane = geometry.get("plane") or {}
    place = int(noted["slice"]) if "slice" in noted else _plane_slice(plane)
    common: dict[str, Any] = {
        "name": str(noted.get("name") or named or ""),
        "label": None if named is None else str(named),
        "slice": place,
        "object": None if noted.get("object") is None else str(noted["object"]),
    }
    kind, parts = geometry["type"], geometry["coordinates"]
    if kind == "Polygon":
        return [Outline(rings=[_ring(ring) for ring in parts], **common)]
    if kind == "MultiPolygon":
        return [Outline(rings=[_ring(ring) for polygon in parts for ring in polygon], **common)]
    lines = {"Point": [[parts]], "MultiPoint": [parts], "LineString": [parts], "MultiLineString": parts}.get(kind)
    if lines is None:
        raise LabelError(f"geometry {kind!r} is none that can be drawn; there are polygons, lines and points")
    return [Outline(rings=[_ring(line) for line in lines], kind="point" if "Point" in kind else "line", **common)]


def _class_name(classification: Mapping[str, Any]) -> str | None:
    """The name that QuPath gives a class; newer versions list those of a class within another."""
    names = classification.get("names")
    return ": ".join(map(str, names)) if names else classification.get("name")


def _plane_slice(plane: Mapping[str, Any]) -> int | None:
    """QuPath's plane: z, or t where there is one z; None where neither is named."""
    numbers = [int(plane[axis]) for axis in ("z", "t") if plane.get(axis) is not None]
    return max(numbers) if numbers else None


# -------------------------------------------------------------------------------------------------------------- out


def _corners(ring: np.ndarray) -> list[list[float]]:
    return [[float(column) + 0.5, float(row) + 0.5] for row, column in ring]


def _geojson(labels: OpenLabels) -> dict[str, Any]:
    colours = {item.value: item.color for item in labels.level.classes}
    features: list[dict[str, Any]] = []
    for z, value, _, rings in outlines_of(labels):
        noted: dict[str, Any] = {"objectType": "annotation", "name": name_of(labels, value), "slice": z}
        if labels.level.kind == "semantic":
            noted["classification"] = {"name": name_of(labels, value)}
            if colours.get(value):
                colour = colours[value][1:]
                noted["classification"]["color"] = [int(colour[i : i + 2], 16) for i in (0, 2, 4)]
        else:
            noted["object"] = value
        coordinates = []
        for _, ring in rings:
            corners = _corners(ring)
            coordinates.append(corners if corners[0] == corners[-1] else [*corners, corners[0]])
        geometry = {"type": "Polygon", "coordinates": coordinates, "plane": {"c": -1, "z": z, "t": 0}}
        features.append({"type": "Feature", "id": str(len(features)), "geometry": geometry, "properties": noted})
    return {"type": "FeatureCollection", "features": features}


def _coco(labels: OpenLabels) -> dict[str, Any]:
    """Holes cannot be said in COCO's polygons, so parts with holes are written as run lengths."""
    height, width = labels.shape[1:]
    files = {place: name for name, place in _files_of(labels).items() if place is not None}
    semantic = labels.level.kind == "semantic"
    categories = [{"id": item.value, "name": item.name, "color": item.color} for item in labels.level.classes]
    if not semantic:
        categories = [{"id": 1, "name": labels.level.name}]
    used: set[int] = set()
    annotations: list[dict[str, Any]] = []
    for z, value, _, rings in outlines_of(labels):
        used.add(z)
        outer = np.asarray(_corners(rings[0][1]))
        left, top = outer.min(axis=0).tolist()
        right, bottom = outer.max(axis=0).tolist()
        holes = len(rings) > 1
        shape = _run_lengths([ring for _, ring in rings], (height, width)) if holes else [outer.reshape(-1).tolist()]
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": z + 1,
                "category_id": value if semantic else 1,
                "segmentation": shape,
                "area": float(sum(-_area(ring) if hole else _area(ring) for hole, ring in rings)),
                "bbox": [left, top, right - left, bottom - top],
                "iscrowd": int(holes),
                **({} if semantic else {"object": value}),
            }
        )
    images = []
    for z in sorted(used):
        name = files.get(z, f"{labels.image}-{z:04d}")
        images.append({"id": z + 1, "file_name": name, "height": height, "width": width, "slice": z})
    return {"images": images, "categories": categories, "annotations": annotations}


def _area(ring: np.ndarray) -> float:
    rows, columns = ring.T
    return abs(float(np.dot(rows, np.roll(columns, 1)) - np.dot(columns, np.roll(rows, 1)))) / 2


def _run_lengths(rings: Sequence[np.ndarray], size: tuple[int, int]) -> dict[str, Any]:
    from voxloop.store.shapes import inside

    mask = np.zeros(size, bool)
    drawn = inside(rings, size)
    if drawn is not None:
        rows, columns = (slice(first, first + n) for first, n in zip(drawn.origin, drawn.mask.shape, strict=True))
        mask[rows, columns] = drawn.mask
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(np.int8)))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    if flat.size in edges:
        counts = counts[:-1]
    return {"size": list(size), "counts": counts}
