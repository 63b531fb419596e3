"""Annotations of COCO, labelme and QuPath, as odd as they come: drawn as they are meant, or refused in a sentence."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from voxloop.errors import LabelError
from voxloop.store import Store

ROWS, COLUMNS = 40, 60
SQUARE = [[10, 10], [20, 10], [20, 20], [10, 20]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("annotations") / "ws"
    with Store.create(
        path, image=np.zeros((1, ROWS, COLUMNS), np.uint8), classes=["background", "cell", "core"]
    ) as one:
        yield one


def coco(segmentation: Any, **image: Any) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.png", "height": ROWS, "width": COLUMNS, **image}],
        "categories": [{"id": 7, "name": "cell"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "segmentation": segmentation, "iscrowd": 1}],
    }


def labelme(kind: str, points: Any, **more: Any) -> dict[str, Any]:
    size = {"imageHeight": more.pop("height", ROWS), "imageWidth": COLUMNS}
    return {"shapes": [{"label": "cell", "points": points, "shape_type": kind, **more}], "imagePath": "a.png", **size}


def qupath(geometry: Any, **classification: Any) -> dict[str, Any]:
    noted = {"objectType": "annotation", "classification": classification or {"name": "cell"}}
    feature = {"type": "Feature", "geometry": geometry, "properties": noted}
    return {"type": "FeatureCollection", "features": [{**feature, "geometry": None}, feature]}


#: column by column: twelve pixels of one column, after 5 empty columns and 3 rows
RUNS = [5 * ROWS + 3, 12, (COLUMNS - 6) * ROWS + ROWS - 15]
RING = [*SQUARE, SQUARE[0]]
PAINTED = base64.b64encode(imagecodecs.png_encode(np.full((4, 5), 255, np.uint8))).decode()


@pytest.mark.parametrize(
    ("content", "count", "value"),
    [
        (coco([np.ravel(SQUARE).tolist()]), 100, 2),
        (coco({"size": [ROWS, COLUMNS], "counts": RUNS}), 12, 2),
        (labelme("mask", [[10, 10], [14, 13]], mask=PAINTED), 20, 2),
        (labelme("mask", [[58, 38], [62, 41]], mask=PAINTED), 4, 2),
        (labelme("rectangle", [SQUARE[2], SQUARE[0]]), 100, 2),
        (qupath({"type": "Polygon", "coordinates": [RING]}, names=["core"]), 100, 3),
        (qupath({"type": "GeometryCollection", "geometries": [{"type": "Polygon", "coordinates": [RING]}]}), 100, 2),
    ],
)
def test_it_is_drawn_as_it_is_meant(store: Store, tmp_path: Path, content: Any, count: int, value: int) -> None:
    labels = store.labels()
    (tmp_path / "a.json").write_text(json.dumps(content))
    labels.load(tmp_path / "a.json", zero="unlabelled", index=0)
    assert np.count_nonzero(labels.read() == value) == count
    labels.undo()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (coco({"size": [COLUMNS, ROWS], "counts": RUNS}), r"of 60 x 40 pixels \(y, x\), this image has 40 x 60"),
        (coco([np.ravel(SQUARE).tolist()], height=80, width=120, slice=0), "of 80 x 120 pixels"),
        (coco({"size": [ROWS, COLUMNS], "counts": RUNS[:-1]}), "run lengths do not fill"),
        (labelme("polygon", SQUARE, height=400), "of 400 x 60 pixels"),
        (labelme("cuboid", SQUARE), "shape 'cuboid' is none that can be drawn"),
        (labelme("mask", SQUARE), "'mask' is missing"),
        (qupath({"type": "Polygon", "coordinates": [RING]}, names=["core", "dark"]), "unknown class 'core: dark'"),
    ],
)
def test_what_cannot_be_meant_is_refused(store: Store, tmp_path: Path, content: Any, words: str) -> None:
    labels, before = store.labels(), store.labels().sequence
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(LabelError, match=words):
        labels.load(tmp_path / "a.json", zero="unlabelled", index=0)
    assert labels.sequence == before
