"""Objects of what is labelled already: of a class, its connected voxels; objects that have numbers, as they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.config.objects import ObjectsConfig
from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.objects.fields import VoxelField, block_shape, field_of, map_field, within
from voxloop.objects.finding import find_objects, free_path
from voxloop.objects.image import LabelImage, chunk_of
from voxloop.objects.result import Objects

#: told after each block: blocks done, blocks in all
Progress = Callable[[int, int], None]
#: objects that label images can number
_MOST = 2**32 - 1


def objects_of_labels(
    source: Any,
    path: str | Path,
    config: ObjectsConfig | None = None,
    *,
    of: int | None = None,
    numbered: bool | None = None,
    region: object = None,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
    facts: dict[str, Any] | None = None,
) -> Objects:
    """Objects of a label image, as an OME-Zarr label image.

    Parameters
    ----------
    source
        Whole numbers (z, y, x), 0 is nothing: anything :func:`voxloop.open_volume` takes. Read by the block.
    config
        Holes, sizes and cuts of the voxels of a class; objects that have numbers are taken as they are.
    of
        The value whose voxels become objects; the only one there is where not given.
    numbered
        Whether values number objects already, so that these are kept with their numbers. None: where there are
        several values, and ``of`` is not given.
    region, overwrite, progress, facts
        As of :func:`find_objects`.

    Raises
    ------
    PredictionError
        The labels are no whole numbers from 0, there are several values and none is named, or ``path`` exists.
    """
    field = within(field_of(source), region)
    if field.read(Box.at((0, 0, 0), (1, 1, 1))).ndim != 3:
        raise PredictionError("a mask has three axes (z, y, x), not channels as well; give one of them")
    if of is None and not numbered:
        values = _values(field, 2 if numbered is None else 12)
        if len(values) > 1 and numbered is not None:
            listed = ", ".join(map(str, values[:12]))
            raise PredictionError(f"name the value to make objects of, with of=: there are {listed}")
        numbered = len(values) > 1
        of = values[0] if values else 1
    if not numbered:
        wanted = of
        voxels = map_field(field, lambda block: (_whole(block) == wanted).astype(np.float32))
        return find_objects(voxels, path, config, overwrite=overwrite, progress=progress, facts=facts)
    if config is not None and config != ObjectsConfig():
        raise PredictionError(
            "objects that have numbers are taken as they are, so settings change nothing; leave them out, or name one "
            "value with of= to make objects of its voxels"
        )
    return _keep(field, path, overwrite, progress, facts)


def _values(field: VoxelField, most: int) -> list[int]:
    """Values but 0, at least ``most`` of them where there are that many."""
    found: set[int] = set()
    for box in Box.whole(field.shape).blocks(block_shape(field.shape, chunk=chunk_of(field))):
        found |= set(np.unique(_whole(field.read(box))).tolist()) - {0}
        if len(found) >= most:
            break
    return sorted(found)


def _whole(block: np.ndarray) -> np.ndarray:
    """Labels as numbers from 0. Raises PredictionError."""
    if block.dtype == bool:
        return block.astype(np.uint8)
    if block.dtype.kind == "f" and np.array_equal(block, np.floor(block)):
        block = block.astype(np.int64)
    if block.dtype.kind not in "iu":
        raise PredictionError(f"labels are whole numbers, not {block.dtype}; of probabilities, predict and use that")
    if block.size and int(block.min()) < 0:
        raise PredictionError(f"a mask holds {int(block.min())}; objects are numbered from 1, and 0 is nothing")
    if block.size and int(block.max()) > _MOST:
        raise PredictionError(f"a mask holds {int(block.max())}; numbers of objects go up to {_MOST}")
    return block


def _keep(
    field: VoxelField, path: str | Path, overwrite: bool, progress: Progress, facts: dict[str, Any] | None
) -> Objects:
    """Write objects with the numbers they have."""
    target = free_path(path, overwrite)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    block = block_shape(field.shape, chunk=chunk_of(field))
    boxes = list(Box.whole(field.shape).blocks(block))
    image = LabelImage(partial / "image", field, np.uint32, block)
    numbers = np.zeros(0, np.int64)
    for done, box in enumerate(boxes, 1):
        values = _whole(field.read(box))
        numbers = np.union1d(numbers, np.unique(values))
        image.write(box, values)
        progress(done, len(boxes))
    about = {"v": 1, "objects": int((numbers > 0).sum()), "unsure": 0, "settings": ObjectsConfig().to_json()}
    image.finish(target.stem, about | {"source": None, "numbered": True} | (facts or {}))
    if target.exists():
        shutil.rmtree(target)
    (partial / "image").replace(target)
    shutil.rmtree(partial)
    return Objects(target)
