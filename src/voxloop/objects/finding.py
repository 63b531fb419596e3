"""Objects of a volume of any size, block by block: equal to the whole volume's, resumable, in bounded memory.

Steps: voxels of the class; holes (labels of what is no object); clumps; and where they are to be cut, seeds and a
watershed. Every step names pieces block by block (:mod:`pieces`, :mod:`labelling`), joins them (:mod:`joining`), and is
read by the next as if it were a volume. What is not a matter of neighbours is exact: voxels, holes, clumps, seeds and
sizes are those of the whole volume whatever the blocks. The watershed is exact for every clump that lies within a block
and ``reach`` around it; objects of other clumps are counted as ``unsure``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.config.objects import ObjectsConfig
from voxloop.errors import PredictionError
from voxloop.geometry import Box, Shape
from voxloop.given import flag, path_of
from voxloop.objects import joining, segmenting, voxels
from voxloop.objects.cutting import plan_cut
from voxloop.objects.fields import Halo, VoxelField, block_shape, field_of, map_field, within
from voxloop.objects.image import LabelImage, chunk_of
from voxloop.objects.joining import Groups, name_voxels
from voxloop.objects.labelling import cut_block, first_voxels, names_in_faces, number_in_volume
from voxloop.objects.pieces import Index, PieceRecord, Pieces
from voxloop.objects.result import Objects
from voxloop.objects.working import each
from voxloop.volumes import opened_with

#: told after each block: blocks done, blocks in all
Progress = Callable[[int, int], None]


def _ignore(done: int, total: int) -> None:
    """Progress that nobody shows."""


@dataclass(frozen=True, slots=True)
class _Making:
    """How objects are made and written, whatever they are made of."""

    block: Shape | None
    workers: int | None
    scales: bool
    overwrite: bool
    progress: Progress
    facts: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What objects are made of, and the steps that lead to them."""

    source: Any
    field: VoxelField
    config: ObjectsConfig
    make: Callable[[_Work], tuple[Pieces, Groups]]
    steps: int
    halo: Halo = (0, 0, 0)
    instances: bool = False


@dataclass(slots=True)
class _Work:
    """What all steps share: where scratch lies, how large blocks are, the workers, and the progress."""

    scratch: Path
    block: Shape
    workers: int | None
    progress: Progress
    steps: int
    done: int = 0

    def pieces(self, name: str, shape: Shape) -> Pieces:
        return Pieces(self.scratch / name, shape, self.block)

    def run(self, pieces: Pieces, act: Callable[[Index], None]) -> None:
        """``act`` for every block of ``pieces`` that is not there yet."""

        def unless_done(index: Index) -> None:
            if not pieces.done(index):
                act(index)

        self.all(pieces, unless_done)

    def all(self, pieces: Pieces, act: Callable[[Index], None]) -> None:
        total = self.steps * int(np.prod(pieces.grid))

        def after() -> None:
            self.done += 1
            self.progress(self.done, total)

        each(act, (index for index, _ in pieces.blocks()), self.workers, after)


def label_components(
    source: Any,
    path: str | Path,
    *,
    connectivity: str = "faces",
    min_size: float = 0.0,
    block: Shape | None = None,
    workers: int | None = None,
    scales: bool = True,
    overwrite: bool = False,
    progress: Progress = _ignore,
) -> Objects:
    """Name the connected components of each value of a label volume, as an OME-Zarr label image.

    Parameters
    ----------
    source
        Labels (z, y, x), any integer type, 0 is nothing: anything :func:`voxloop.open_volume` takes. Read by the block.
    path
        Folder to write, ``.zarr``.
    connectivity
        ``"faces"``, ``"edges"`` or ``"corners"``.
    min_size
        Smaller components are left out; cubic micrometres, square ones of a picture and of frames.
    block
        Voxels read at once, zyx; about 4 million where not given. The result does not depend on it.
    workers
        Threads; the result does not depend on them. None: one a core.
    scales
        Whether coarser resolutions are written.

    Returns
    -------
    Objects
        Numbered from 1 in the order of their first voxels along x, then y, then z: as scipy.ndimage.label does.

    Raises
    ------
    PredictionError
        ``path`` exists and ``overwrite`` is false, or the labels are no whole numbers.
    """
    field = field_of(source)
    dtype = field.read(Box.at((0, 0, 0), (1, 1, 1))).dtype
    if dtype.kind not in "bui":
        raise PredictionError(f"labels are whole numbers, not {dtype}; of probabilities take those above a threshold")
    config = ObjectsConfig(connectivity=connectivity, min_size=min_size, split=False)
    recipe = _Recipe(source, field, config, lambda work: _components(field, config, work), steps=2)
    return _write(recipe, path, _Making(block, workers, scales, overwrite, progress))


def find_objects(
    source: Any,
    path: str | Path,
    config: ObjectsConfig | None = None,
    *,
    channel: int | None = None,
    instances: bool = False,
    region: object = None,
    block: Shape | None = None,
    workers: int | None = None,
    scales: bool = True,
    overwrite: bool = False,
    progress: Progress = _ignore,
    facts: dict[str, Any] | None = None,
) -> Objects:
    """Objects of a class, or of a network that learnt objects, as an OME-Zarr label image.

    Parameters
    ----------
    source
        Probabilities, uint8 (255 is certain) or floats: (z, y, x), or (c, z, y, x) with ``channel``; anything
        :func:`voxloop.open_volume` takes. With ``instances`` the three channels foreground, boundary, distance, or the
        four of foreground and arrows.
    config
        Thresholds, sizes and how touching objects are cut.
    region
        Slices (z, y, x) in voxels; the image covers just that. None: all.
    facts
        Whatever else the result is to say about itself, JSON.

    Other parameters, result and errors are those of :func:`label_components`; numbers, voxels and sizes equal those of
    :func:`segment` and :func:`decode_instances` on the whole array, but for objects counted in ``unsure``.
    """
    config = ObjectsConfig.of(config)
    field = within(field_of(source, channel=channel), region)
    probability, channels = field, None
    if instances:
        segmenting.check_channels(_channels(field))
        probability, channels = replace(field, read=lambda box: field.read(box)[0]), field
    cut = config.split and (instances or config.seed_depth > 0)
    counted = segmenting.leaves_out(config, instances=instances)
    steps = 2 + bool(segmenting.hole_voxels(config, field)) + 2 * cut

    def make(work: _Work) -> tuple[Pieces, Groups]:
        pieces, groups, clump = _clumps(probability, config, work, count=counted and not cut)
        if not cut:
            return pieces, groups
        return _split(clump, len(groups), channels, config, work)

    halo = segmenting.reach(config, field) if cut else (0, 0, 0)
    recipe = _Recipe(source, field, config, make, steps, halo, instances)
    return _write(recipe, path, _Making(block, workers, scales, overwrite, progress, facts))


def _channels(field: VoxelField) -> int:
    one = field.read(Box.whole((1, 1, 1)))
    return len(one) if one.ndim == 4 else 1


def _components(field: VoxelField, config: ObjectsConfig, work: _Work, name: str = "clumps", **counted: bool) -> Any:
    pieces = work.pieces(name, field.shape)
    counted = counted or {"sizes": segmenting.leaves_out(config, instances=False)}
    work.run(pieces, lambda index: cut_block(field, pieces, index, config.connectivity, **counted))
    return pieces, joining.join(pieces)


def _clumps(
    probability: VoxelField, config: ObjectsConfig, work: _Work, *, count: bool
) -> tuple[Pieces, Groups, VoxelField]:
    """Connected voxels of the class, holes filled."""
    halo = voxels.smoothing_halo(config, probability)
    inside = map_field(probability, lambda block: segmenting.is_inside(block, config, probability), halo)
    if limit := segmenting.hole_voxels(config, probability):
        outside = map_field(inside, lambda block: 1 - block)
        dual = config.changed(connectivity=segmenting.DUAL[config.connectivity])
        pieces, groups = _components(outside, dual, work, "holes", sizes=True, mark_edge=True)
        filled = name_voxels(inside, pieces, groups, (~groups.marked & (groups.sizes <= limit)).astype(np.uint32))
        voxels_of = inside
        inside = replace(inside, read=lambda box: voxels_of.read(box) | filled.read(box).astype(np.uint8))
    pieces, groups = _components(inside, config, work, sizes=count)
    return pieces, groups, name_voxels(inside, pieces, groups, _numbers(len(groups)))


def _split(
    clump: VoxelField, clump_count: int, channels: VoxelField | None, config: ObjectsConfig, work: _Work
) -> tuple[Pieces, Groups]:
    """Cut clumps by a watershed from seeds that have one name all over the volume, so cores of blocks fit together."""
    channel_count = 0 if channels is None else _channels(channels)
    how = plan_cut(clump, channels, config, channel_count)

    def begin(box: Box) -> np.ndarray:
        outer = box.grow(how.near).clip(clump.shape)
        return how.begin(clump.read(outer), outer)[box.within(outer).slices]

    seeding = config.changed(connectivity=how.connectivity)
    pieces, seed_groups = _components(replace(clump, read=begin), seeding, work, "seeds", sizes=False)
    seeded = np.zeros(clump_count + 1, bool)
    seeded[seed_groups.keys] = True
    seed = name_voxels(clump, pieces, seed_groups, _numbers(len(seed_groups)))
    objects = work.pieces("objects", clump.shape)

    def flood_block(index: Index) -> None:
        box = objects.box(index)
        outer = box.grow(how.reach).clip(clump.shape)
        core = box.within(outer).slices
        names = clump.read(outer)
        seeds = np.zeros_like(names)
        if names.any():
            seeds = how.grow(names, seed.read(outer), outer)
        # a clump without a seed is one object, and so is what no seed of its clump reaches from within the block
        whole = np.where(seeds > 0, seeds, names + np.uint32(len(seed_groups)) * (names > 0))
        unsure = np.zeros(len(seeded), bool)
        unsure[names_in_faces(names, outer, clump, of_volume=False)] = True
        unsure &= seeded
        _keep(objects, index, whole[core], unsure[names[core]])

    work.run(objects, flood_block)
    return objects, joining.group_by_key(objects)


def _keep(pieces: Pieces, index: Index, names: np.ndarray, unsure: np.ndarray) -> None:
    """Keep a block whose names are those of the whole volume."""
    import fastremap

    keys = fastremap.unique(names)
    keys = keys[keys > 0]
    local = np.searchsorted(keys, names).astype(np.uint32) + 1
    local[names == 0] = 0
    first = first_voxels(local, len(keys))
    sizes = np.bincount(local.ravel(), minlength=len(keys) + 1)[1:]
    marked = np.unique(local[unsure & (local > 0)])
    record = PieceRecord(
        number_in_volume(first, pieces.box(index), pieces.shape), keys.astype(np.int64), sizes, marked.astype(np.int64)
    )
    pieces.write(index, local, record)


def _numbers(count: int) -> np.ndarray:
    """Names from 1, as narrow as labels of that many objects are kept."""
    if count >= 2**32 - 1:
        raise PredictionError(f"{count} objects are more than label images can number; raise the threshold or min_size")
    return np.arange(1, count + 1, dtype=np.uint32)


def _write(recipe: _Recipe, path: str | Path, making: _Making) -> Objects:
    """Number the objects that are large enough, write them, and put the folder in its place when it is whole."""
    field, config = recipe.field, recipe.config
    target = free_path(path, making.overwrite)
    block = making.block or block_shape(field.shape, halo=recipe.halo, chunk=chunk_of(field))
    partial = target.with_name(f".{target.name}.partial")
    source, settings = _source(recipe.source), config.to_json()
    task = {"of": source, "shape": field.shape, "origin": field.origin_um, "block": block, "settings": settings}
    _resume(partial, task)
    work = _Work(partial / "scratch", block, making.workers, making.progress, recipe.steps)
    pieces, groups = recipe.make(work)
    large = np.ones(len(groups), bool)
    if segmenting.leaves_out(config, instances=recipe.instances):
        large = ~segmenting.too_small(groups.sizes, config, field, instances=recipe.instances)
    count = int(large.sum())
    names = np.zeros(len(groups), np.uint32)
    names[large] = _numbers(count)
    image = LabelImage(partial / "image", field, np.uint32, block)

    def write(index: Index) -> None:
        image.write(pieces.box(index), joining.rename_block(pieces, groups, names, index))

    work.all(pieces, write)
    unsure = int((groups.marked & large).sum()) if config.split else 0
    about = {"v": 1, "objects": count, "unsure": unsure, "settings": settings, "source": source}
    image.finish(target.stem, about | (making.facts or {}), scales=making.scales)
    if target.exists():
        shutil.rmtree(target)
    (partial / "image").replace(target)
    shutil.rmtree(partial)
    return Objects(target)


def free_path(path: str | Path, overwrite: bool) -> Path:
    """Where objects may be written. Raises PredictionError."""
    target, overwrite = path_of(path, error=PredictionError), flag("overwrite", overwrite, error=PredictionError)
    if target.suffix != ".zarr":
        raise PredictionError(f"{target} must end in .zarr: objects are written as an OME-Zarr label image")
    if target.exists() and not overwrite:
        raise PredictionError(f"{target} exists; choose another name or say overwrite=True")
    return target


def _resume(partial: Path, task: dict[str, Any]) -> None:
    """Keep what an earlier attempt at the very same has done, clear away any other."""
    note = partial / "of.json"
    text = json.dumps(task)
    if task["of"] is None or not note.exists() or note.read_text() != text:
        shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, exist_ok=True)
    note.write_text(text)


def _source(source: Any) -> Any:
    """What tells a source from another, JSON; None of arrays in memory, whose steps are not worth keeping."""
    path = Path(source) if isinstance(source, str | Path) else None
    if path is None:
        arguments = (opened_with(source) if hasattr(source, "attrs") else None) or {}
        path = Path(arguments["source"]) if isinstance(arguments.get("source"), str) else None
    if path is None or not path.exists():
        return None
    newest = max((file.stat().st_mtime_ns for file in [path, *path.glob("zarr.json")]), default=0)
    return {"path": str(path), "changed": newest}
