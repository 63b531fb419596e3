"""COCO's JSON: keypoints (0 not there, 1 covered, 2 to be seen) and boxes (pixel edges, x y width height)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError
from voxloop.store.atomic import replace_json
from voxloop.store.points.files.given import Given
from voxloop.volumes.metadata import first_line

if TYPE_CHECKING:
    from voxloop.store.points.placed_labels import PlacedLabels


def read(path: Path, boxes: bool) -> Given:
    """Keypoints, or boxes where the level is of these. Raises LabelError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        return _given(content, boxes, path)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        if isinstance(error, LabelError):
            raise
        words = f"{error} is missing" if isinstance(error, KeyError) else first_line(error)
        raise LabelError(f"{path} holds no annotations as COCO has them ({words})") from error


def _given(content: Any, boxes: bool, path: Path) -> Given:
    categories = {one["id"]: one for one in content.get("categories", [])}
    nodes = list(dict.fromkeys(name for one in categories.values() for name in one.get("keypoints", [])))
    if not boxes and not nodes:
        raise LabelError(f"{path} has no category with keypoints; its boxes go into a level of boxes")
    frames = _frames(content["images"])
    sizes = {(int(one["height"]), int(one["width"])) for one in content["images"] if one.get("height")}
    given = Given(nodes=["start", "stop"] if boxes else nodes, instances=[], boxes=boxes)
    given.size = sizes.pop() if len(sizes) == 1 else None
    for one in categories.values():
        names = one.get("keypoints", [])
        for a, b in one.get("skeleton", []) if not boxes else ():
            given.edges.append((names[a - 1], names[b - 1]))
    for one in content["annotations"]:
        kind = categories.get(one.get("category_id"), {})
        told: dict[str, Any] = {"frame": frames[one["image_id"]], "label": kind.get("name")}
        told["track"] = one.get("track_id", (one.get("attributes") or {}).get("track"))
        told["score"] = one.get("score")
        told["predicted"] = one.get("score") is not None
        if boxes:
            x, y, width, height = (float(value) for value in one["bbox"])
            told["points"] = {"start": (y - 0.5, x - 0.5), "stop": (y + height - 0.5, x + width - 0.5)}
        else:
            told["points"], told["hidden"] = _keypoints(one.get("keypoints") or [], kind.get("keypoints", []))
        given.instances.append(told)
    return given


def _keypoints(flat: list[float], names: list[str]) -> tuple[dict[str, Any], list[str]]:
    points, hidden = {}, []
    for n, name in enumerate(names[: len(flat) // 3]):
        x, y, seen = flat[3 * n : 3 * n + 3]
        if seen:
            points[name] = (float(y), float(x))
        if seen == 1:
            hidden.append(name)
    return points, hidden


def _frames(images: list[dict[str, Any]]) -> dict[Any, int]:
    """Which frame each image is: as it says, else by the number its name ends with, else in the order of the list."""
    if all(isinstance(one.get("frame"), int) for one in images):
        return {one["id"]: int(one["frame"]) for one in images}
    ends = [re.search(r"(\d+)\.\w+$", str(one.get("file_name", ""))) for one in images]
    numbers = [int(end[1]) for end in ends if end is not None]
    if len(set(numbers)) == len(images) > 1:
        return {one["id"]: number for one, number in zip(images, numbers, strict=True)}
    return {one["id"]: n for n, one in enumerate(images)}


def write(marks: PlacedLabels, path: Path, predicted: bool | None) -> None:
    """Keypoints or boxes of all frames that were labelled. Raises OSError."""
    skeleton = getattr(marks, "skeleton", None)
    boxes = skeleton is None
    names = [item.name for item in marks.level.classes] or [marks.level.name]
    categories: list[dict[str, Any]] = []
    for n, name in enumerate(names, start=1):
        category: dict[str, Any] = {"id": n, "name": name, "supercategory": marks.level.name}
        if skeleton is not None:
            category["keypoints"] = list(skeleton.nodes)
            category["skeleton"] = [[a + 1, b + 1] for a, b in skeleton.edge_indices]
        categories.append(category)
    _, rows, columns = marks.shape
    images, annotations = [], []
    for frame in marks.frames:
        images.append(
            {
                "id": frame + 1,
                "frame": frame,
                "file_name": f"{marks.image}-{frame:06d}.png",
                "height": rows,
                "width": columns,
            }
        )
        for one in marks.read(frame):
            if predicted is not None and one.predicted != predicted:
                continue
            (y0, x0), (y1, x1) = one.box
            edge = 0.5 if boxes else 0.0
            entry: dict[str, Any] = {
                "id": one.id,
                "image_id": frame + 1,
                "category_id": names.index(one.label) + 1 if one.label in names else 1,
                "bbox": [x0 + edge, y0 + edge, x1 - x0, y1 - y0],
                "area": (x1 - x0) * (y1 - y0),
                "iscrowd": 0,
            }
            if one.track is not None:
                entry["attributes"] = {"track": one.track}
            if one.predicted:
                entry["score"] = one.score if one.score is not None else 0.0
            if skeleton is not None:
                flat: list[float] = []
                for node in skeleton.nodes:
                    at = one.points.get(node)
                    flat += [0, 0, 0] if at is None else [at[1], at[0], 1 if node in one.hidden else 2]
                entry |= {"keypoints": flat, "num_keypoints": len(one.points)}
            annotations.append(entry)
    replace_json(path, {"images": images, "categories": categories, "annotations": annotations})
