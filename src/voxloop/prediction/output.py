"""A prediction on disk: one OME-Zarr folder, filled tile by tile, whole at any moment. Knows no models and no runs.

``labels/<level>`` is an OME-NGFF label image, ``probabilities`` (class, z, y, x) and ``uncertainty`` are uint8 images,
and the folder itself shows other programs the first of these that is kept, with the labels over it. ``tiles`` holds a
one for every tile of the grid that is on disk, and ``coarser``, while they are written, for every chunk of the coarser
resolutions. Chunks and records are replaced atomically and a tile owns its chunks, so a process that dies leaves
nothing half-written and repeats what it had in hand.
"""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import DiskFullError, PredictionError
from voxloop.geometry import Box, Shape, Spacing
from voxloop.model import ClassInfo
from voxloop.prediction.decode import Decoded, label_dtype
from voxloop.prediction.plan import Plan, Tile
from voxloop.volumes.multiscale import Kind, Layers, coarsen, write_metadata
from voxloop.volumes.pyramid import Scale, plan_scales

if TYPE_CHECKING:
    import zarr

FORMAT = 1
#: errors of a disk or a quota that is full
FULL = (errno.ENOSPC, errno.EDQUOT)


class PredictionOutput:
    """A prediction being written. One process writes; any thread of it may."""

    def __init__(self, path: Path) -> None:
        import zarr

        self.path = path
        self.group: zarr.Group = zarr.open_group(path, mode="r+")
        self.facts: dict[str, Any] = dict(self.group.attrs["voxloop"])  # type: ignore[arg-type]
        self.plan = Plan.from_json(self.facts["plan"])
        self._arrays = {name: self._array(f"{name}/0") for name in parts(self.facts)}
        self._tiles = self._array("tiles")
        self._done: np.ndarray = np.asarray(self._tiles[:])
        self._lock = threading.Lock()

    def _array(self, name: str) -> Any:
        return self.group[name]

    @property
    def done(self) -> np.ndarray:
        """The tile grid: true where a tile is on disk."""
        return self._done.astype(bool)

    def write(self, tile: Tile, decoded: Decoded | None) -> None:
        """Put a tile on disk and record it; None: record only, there is nothing to say or it is there already.

        Raises DiskFullError where the disk is full; says how much is missing.
        """
        try:
            if decoded is not None:
                self.put(tile, decoded)
            self._record(tile)
        except OSError as error:
            if error.errno in FULL:
                raise DiskFullError(self.needed()) from error
            raise

    def put(self, tile: Tile, decoded: Decoded) -> None:
        """Put a tile on disk without recording it: for those who are not the one that keeps the record."""
        for name, array in self._arrays.items():
            data = getattr(decoded, name.partition("/")[0])
            array[..., *tile.core.slices] = data

    def _record(self, tile: Tile) -> None:
        z = tile.index[0]
        with self._lock:  # a row of the record is one chunk
            row = self._done[z].copy()
            row[tile.index[1:]] = 1
            self._tiles[z] = row
            self._done[z] = row

    def needed(self) -> str:
        """What a full disk means for this prediction, in a sentence."""
        return self._full(int(np.count_nonzero(self._done)), self.plan.count, "tiles", self.path)

    def _full(self, finished: int, total: int, what: str, *folders: Path) -> str:
        files = chain.from_iterable(folder.rglob("*") for folder in folders)
        written = sum(file.stat().st_size for file in files if file.is_file())
        more = written / max(1, finished) * (total - finished)
        size = f"about {more / 1e9:.2g} GB more are" if finished else "more space is"
        return f"the disk of {self.path} is full with {finished} of {total} {what} done; {size} needed, then resume"

    def update(self, **facts: Any) -> None:
        """Add to what the prediction says about itself."""
        self.facts |= facts
        self.group.attrs["voxloop"] = self.facts

    def write_scales(self) -> Iterator[tuple[int, int]]:
        """Write the coarser resolutions of what is there, block by block, then tell them in the metadata.

        Yields after each block how many are on disk, and how many there are. Whoever leaves off goes on by calling it
        again; where all is told already, there is nothing to do. Raises DiskFullError, as :meth:`write` does.
        """
        plan = _scales(self.facts)
        if self.facts["scales"] == len(plan):
            return
        scales = [(name, level) for name in parts(self.facts) for level in range(1, len(plan))]
        done, total = 0, sum(self._blocks(name, plan[level]) for name, level in scales)
        try:
            for name, level in scales:
                scale = plan[level]
                coarse, record = self._coarse(name, level, scale)
                finer, part, chunk = self._array(f"{name}/{level - 1}"), self._box_at(scale), self._chunk(name, scale)
                kind: Kind = "labels" if name.startswith("labels") else "image"
                for now in coarsen(finer, coarse, scale, kind, part=part, block=chunk, record=record):
                    done += 1
                    if now:
                        yield done, total
            for name in parts(self.facts):
                _describe(self.group[name], name, plan, self.facts)
            _describe_root(self.group, self.facts)
            self.update(scales=len(plan))
            shutil.rmtree(self.path / "coarser", ignore_errors=True)
        except OSError as error:
            if error.errno in FULL:
                folders = [self.path / name / str(level) for name, level in scales]
                raise DiskFullError(self._full(done, total, "blocks of coarser resolutions", *folders)) from error
            raise

    def _chunk(self, name: str, scale: Scale) -> Shape:
        z, y, x = (min(c, n) for c, n in zip(self._arrays[name].chunks[-3:], scale.shape, strict=True))
        return z, y, x

    def _blocks(self, name: str, scale: Scale) -> int:
        """How many chunks of a coarser resolution there are to write."""
        return sum(1 for _ in self._box_at(scale).blocks(self._chunk(name, scale)))

    def _coarse(self, name: str, level: int, scale: Scale) -> tuple[Any, Any]:
        """The array of a coarser resolution, and the record of its chunks that are on disk."""
        noted = f"coarser/{name}/{level}"
        if noted in self.group:
            return self._array(f"{name}/{level}"), self._array(noted)
        chunk, finest = self._chunk(name, scale), self._arrays[name]
        shape = *finest.shape[:-3], *scale.shape
        coarse = _layers(self.group[name], chunk, finest.dtype, len(shape)).create(level, shape, overwrite=True)
        grid = [-(-n // c) for n, c in zip(scale.shape, chunk, strict=True)]
        return coarse, self.group.create_array(noted, shape=grid, chunks=(1, 1, grid[2]), dtype="uint8", fill_value=0)

    def _box_at(self, scale: Scale) -> Box:
        """What is predicted, in voxels of a coarser resolution; one at least along each axis."""
        bounds = []
        for (first, last), size, full in zip(self.plan.box.to_json(), scale.shape, self.plan.shape, strict=True):
            start = first * size // full
            bounds.append((start, max(start + 1, -(-last * size // full))))
        return Box.from_json(bounds)


def parts(facts: dict[str, Any]) -> list[str]:
    """The images that a prediction holds, as paths within it."""
    names = [f"labels/{facts['level']}"]
    return names + [name for name in ("probabilities", "uncertainty") if facts[name]]


def create(path: Path, facts: dict[str, Any], plan: Plan, *, overwrite: bool = False) -> PredictionOutput:
    """Make an empty prediction; all of it appears at once.

    Parameters
    ----------
    facts
        ``level``, ``classes``, ``spacing_um``, ``origin_um``, ``frames``, ``probabilities``, ``uncertainty``, and
        whatever else belongs to its lineage; JSON.

    Raises
    ------
    PredictionError
        There is one already and ``overwrite`` is false.
    """
    import zarr

    if path.exists() and not overwrite:
        raise PredictionError(f"there is a prediction {path.stem!r} already; choose another name or overwrite=True")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    facts = {**facts, "v": FORMAT, "plan": plan.to_json(), "scales": 1}
    group = zarr.open_group(partial, mode="w", zarr_format=3)
    group.attrs["voxloop"] = facts
    classes = class_infos(facts)
    for name in parts(facts):
        lead = (len(classes),) if name == "probabilities" else ()
        dtype = label_dtype(classes) if name.startswith("labels") else np.dtype(np.uint8)
        image = group.create_group(name)
        _layers(image, plan.chunk, dtype, 3 + len(lead)).create(0, (*lead, *plan.shape))
        image.attrs["voxloop"] = {"z_kind": "frame" if facts["frames"] else "space"}
        _describe(image, name, _scales(facts)[:1], facts)
    group["labels"].attrs["ome"] = {"version": "0.5", "labels": [facts["level"]]}
    _describe_root(group, facts)
    group.create_array("tiles", shape=plan.grid, chunks=(1, *plan.grid[1:]), dtype="uint8", fill_value=0)
    if path.exists():
        shutil.rmtree(path)
    partial.replace(path)
    return PredictionOutput(path)


def class_infos(facts: dict[str, Any]) -> tuple[ClassInfo, ...]:
    return tuple(ClassInfo(**item) for item in facts["classes"])


def _scales(facts: dict[str, Any]) -> list[Scale]:
    spacing: Spacing = tuple(facts["spacing_um"])
    origin: Spacing = tuple(facts["origin_um"])
    z, y, x = facts["plan"]["shape"]
    return plan_scales((z, y, x), spacing, origin_um=origin, frames=facts["frames"])


def _layers(group: Any, chunk: Shape, dtype: Any, ndim: int) -> Layers:
    return Layers(group, chunk, dtype, ("c", "z", "y", "x")[-ndim:])


def _describe(group: Any, name: str, plan: list[Scale], facts: dict[str, Any]) -> None:
    """Metadata of one image; names and colours of classes where it has them."""
    classes = class_infos(facts)
    dims = ["c", "z", "y", "x"] if name == "probabilities" else ["z", "y", "x"]
    write_metadata(group, plan, dims=dims, name=name.rpartition("/")[2], kind="image")
    ome = dict(group.attrs["ome"])
    if name.startswith("labels"):
        ome["image-label"] = {
            "colors": [{"label-value": info.value, "rgba": [*_rgb(info.color), 255]} for info in classes],
            "properties": [{"label-value": info.value, "class": info.name} for info in classes],
            "source": {"image": "../../"},
        }
    else:
        titles = [(info.name, info.color[1:]) for info in classes] if len(dims) == 4 else [(name, "FFFFFF")]
        window = {"min": 0, "max": 255, "start": 0, "end": 255}
        ome["omero"] = {"channels": [{"label": t, "color": c.upper(), "window": window} for t, c in titles]}
    group.attrs["ome"] = ome


def _describe_root(group: Any, facts: dict[str, Any]) -> None:
    """The whole as an image: that of its first picture, whose arrays lie one folder further down, or of its labels."""
    from ome_zarr_models.v05 import Image

    labels, *pictures = parts(facts)
    shown = pictures[0] if pictures else labels
    ome = {key: value for key, value in group[shown].attrs["ome"].items() if key != "image-label"}
    for multiscale in ome["multiscales"]:
        for dataset in multiscale["datasets"]:
            dataset["path"] = f"{shown}/{dataset['path']}"
    group.attrs["ome"] = ome
    Image.from_zarr(group)


def _rgb(color: str) -> Iterator[int]:
    return (int(color[i : i + 2], 16) for i in (1, 3, 5))
