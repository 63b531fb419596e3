"""Pictures of a study as arrays: each image with its objects, and single objects, typical and extreme. Reads pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxloop.geometry import AXES, Box
from voxloop.review.group_statistics import typical
from voxloop.volumes import read_block, spacing_of

if TYPE_CHECKING:
    from voxloop.review.study import Study, StudyPart

#: pixels of a side of an image with its objects, and of a single object, at most
_WIDE, _SMALL = 700, 96
#: voxels around a single object
_MARGIN = 6
#: objects that are typical, and at each end
TYPICAL, EXTREME = 8, 4


@dataclass(frozen=True, slots=True, eq=False)
class ObjectPicture:
    """Gray values 0 to 1 (rows, columns), numbers of objects on the same pixels, and micrometres of a pixel's sides."""

    gray: np.ndarray
    labels: np.ndarray
    pixel_um: tuple[float, float]
    title: str
    number: int = 0


def overview(part: StudyPart) -> ObjectPicture:
    """The plane of an image that cuts most objects, with them."""
    table, depth = part.table, int(part.labels.shape[0])
    at = 0
    if depth > 1 and len(table):
        crossed = np.zeros(depth + 1, np.int64)
        np.add.at(crossed, table["z_from"].to_numpy(np.int64), 1)
        np.add.at(crossed, table["z_to"].to_numpy(np.int64), -1)
        at = int(np.argmax(np.cumsum(crossed)[:depth]))
    rows, columns = map(int, part.labels.shape[1:])
    box = Box((at, 0, 0), (at + 1, rows, columns))
    return _picture(part, box, _WIDE, f"{part.image}, plane {at}" if depth > 1 else part.image)


def object_pictures(study: Study) -> list[tuple[str, list[ObjectPicture]]]:
    """Rows of single objects with a heading each: typical ones, then the smallest and largest in the first measure."""
    table, first = study.table, study.measures[0]
    known = table[np.isfinite(table[first].to_numpy(np.float64))].reset_index(drop=True)
    if not len(known):
        return []
    order = np.argsort(known[first].to_numpy(np.float64), kind="stable")
    rows: list[tuple[str, Sequence[int]]] = [
        ("typical: nearest to the median", typical(known, study.measures, TYPICAL))
    ]
    if len(known) >= 2 * EXTREME:
        rows.append((f"smallest {first}", order[:EXTREME].tolist()))
        rows.append((f"largest {first}", order[::-1][:EXTREME].tolist()))
    if "class" in known:
        for name in study.classes:
            of_class = known[known["class"] == name]
            best = typical(of_class, study.measures, TYPICAL)
            rows.append((f"class {name}: typical ones", of_class.index[best].tolist()))
    parts = {part.image: part for part in study.parts}
    return [
        (words, [_object(parts[known.at[row, "image"]], int(known.at[row, "object"]), first) for row in chosen])
        for words, chosen in rows
    ]


def _object(part: StudyPart, number: int, measure: str) -> ObjectPicture:
    row = part.table.loc[number]
    box = Box.from_json([(int(row[f"{axis}_from"]), int(row[f"{axis}_to"])) for axis in AXES])
    middle = (box.start[0] + box.stop[0]) // 2
    z, y, x = map(int, part.labels.shape)
    around = box.grow((0, _MARGIN, _MARGIN)).clip((z, y, x)).cut("z", middle, middle + 1)
    return _picture(part, around, _SMALL, f"{number}: {float(row[measure]):.3g}", number)


def _picture(part: StudyPart, box: Box, most: int, title: str, number: int = 0) -> ObjectPicture:
    step = max(1, -(-max(box.shape[1:]) // most))
    pixels = np.asarray(read_block(part.volume, box), np.float32)[:3, 0, ::step, ::step].mean(axis=0)
    labels = np.asarray(part.labels[box.slices])[0, ::step, ::step]
    finite = pixels[np.isfinite(pixels)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0)
    gray = np.clip((np.nan_to_num(pixels) - low) / max(high - low, 1e-6), 0, 1)
    _, down, across = spacing_of(part.labels)
    return ObjectPicture(gray, labels, (step * down, step * across), title, number)
