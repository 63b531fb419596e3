"""The shallow learner between two strokes: retrained in a moment, applied to what is on screen, tile by tile.

Keeps features of the tiles it has seen and rows of the labelled voxels in them. Knows no workspace, no processes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

import numpy as np

from voxloop.config.classifiers import FORESTS
from voxloop.config.shallow import ShallowConfig
from voxloop.geometry import AXES, Box, Shape, Spacing
from voxloop.model import ClassInfo
from voxloop.shallow.classifier import Classifier, fit_classifier
from voxloop.shallow.features import Reduced
from voxloop.shallow.fitting import measure
from voxloop.shallow.gathering import Read
from voxloop.shallow.keeping import BoundedCache
from voxloop.shallow.model import smooth, smoothing_kernels, smoothing_sigma
from voxloop.shallow.perceptron import BATCH
from voxloop.shallow.planning import bank_for
from voxloop.shallow.samples import LabelledVoxels, choose, in_block
from voxloop.shallow.table import Example
from voxloop.shallow.witnesses import unspoken

#: voxels of a tile within its plane, and of the part that is read at once for several tiles
TILE, PART = 192, 576
#: planes of a tile in views across the planes
THROUGH = 16
#: labelled voxels used of one tile, and of all tiles: more would not be learnt from within the time of a stroke
PER_TILE, ROWS = 1500, 6000
#: trees of a forest, and how deep they grow
TREES, DEPTH = 32, 14
#: optimiser steps of one training
STEPS = 150
#: a blend is shown by its forest from this share on, else by its network: both would take longer than a stroke
MOST = 0.7


class LabelReader(Protocol):
    """What is needed of a label array."""

    def read(self, region: object = None) -> np.ndarray: ...

    def touched(self) -> Sequence[Any]:
        """Things with a ``box``: blocks that hold labels."""
        ...


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The image that is worked on: ``read(box)`` gives raw intensities (c, z, y, x)."""

    read: Read
    shape: Shape
    channels: int
    spacing_um: Spacing
    frames: bool = False


@dataclass(frozen=True)
class PredictedPart:
    """A predicted box: class values (0: none) and confidence in 1/255, uint8 zyx."""

    box: Box
    values: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True)
class _Rows:
    features: np.ndarray
    labelled: LabelledVoxels


class LiveShallow:
    """A pixel classifier of one image and level that follows its labels.

    Parameters
    ----------
    memory
        Bytes of features kept; the least recently used go first.
    """

    def __init__(
        self,
        picture: Picture,
        config: ShallowConfig,
        classes: Sequence[ClassInfo] = (),
        *,
        threads: int = 2,
        memory: int = 256 << 20,
    ) -> None:
        self.picture = picture
        forest = config.classifier in FORESTS or (config.classifier == "blend" and config.forest_share >= MOST)
        kind = "forest" if forest else "perceptron"  # others take longer than a stroke
        small = {"trees": min(config.trees, TREES), "depth": min(config.depth or DEPTH, DEPTH)}
        self.config = config.changed(unit="voxels", classifier=kind, **small)
        depth = picture.shape[0]
        self.bank = bank_for(config, picture.channels, picture.spacing_um, depth, frames=picture.frames, live=True)
        self._normalise = measure([_across(picture)])
        self._smoothing = smoothing_kernels(smoothing_sigma(self.bank, config.smoothing))
        self._margin = tuple(0 if k is None else k.size // 2 for k in self._smoothing)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="live")
        self._ahead = threads + 1
        self._levels: BoundedCache[Box, list[np.ndarray]] = BoundedCache(memory)
        self._parts: BoundedCache[Box, Reduced] = BoundedCache(memory // 4)
        self._reading = Lock()
        self._rows: dict[Box, _Rows] = {}
        self._pending: set[Box] = set()
        self._followed = self._changed = False
        self._classifier: Classifier | None = None
        self._values = np.empty(0, dtype=np.uint8)

    @property
    def ready(self) -> bool:
        """Two classes or more are labelled and learnt."""
        return self._classifier is not None

    @property
    def unfinished(self) -> bool:
        """Some labels are not learnt yet, for lack of time or a cancelled call; another :meth:`learn` goes on."""
        return bool(self._pending) or self._changed

    @property
    def samples(self) -> int:
        """Labelled voxels that are held."""
        return sum(len(rows.labelled) for rows in self._rows.values())

    def learn(
        self,
        labels: LabelReader,
        changed: Iterable[Box] | None = None,
        *,
        near: Sequence[float] | None = None,
        seconds: float = 0.4,
        stale: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Take up changed labels and train anew; False where fewer than two classes are labelled, or ``stale()``.

        Parameters
        ----------
        changed
            Boxes in which labels changed since the last call; the first call, and None, look at all labels.
        near
            A voxel (zyx); labels near it are taken up first.
        seconds
            Time for labels met for the first time; those of ``changed`` are always taken up, the rest with later calls.
        """
        everywhere = changed is None or not self._followed
        self._followed = True
        boxes = [touched.box for touched in labels.touched()] if everywhere else list(changed or ())
        fresh = self._tiles_of(boxes, labels, everywhere)
        self._pending.update(fresh)
        until = time.monotonic() + seconds
        urgent = set() if everywhere else fresh
        focus = near or [size / 2 for size in self.picture.shape]
        for tile in sorted(
            self._pending, key=lambda tile: (tile not in urgent, self._distance(tile, focus), tile.start)
        ):
            if stale() or (tile not in urgent and self._rows and time.monotonic() > until):
                break
            self._take_up(tile, labels)
            self._pending.remove(tile)
        return not stale() and self._fit()

    def predict(
        self, axis: str, index: int, box: Sequence[slice], focus: Sequence[float] | None = None
    ) -> Iterator[PredictedPart]:
        """Predict a box of a plane, tile by tile from ``focus`` (row, column) outwards; stop asking to cancel.

        ``box`` holds two slices along the plane's axes, voxels. Parts are in zyx with one voxel across ``axis``.
        """
        across = AXES.index(axis)
        bounds = [(part.start, part.stop) for part in box]
        bounds.insert(across, (index, index + 1))
        view = Box.from_json(bounds)
        centre = list(focus) if focus is not None else [(part.start + part.stop) / 2 for part in box]
        centre.insert(across, index)
        tiles = sorted(
            view.aligned(self.bank.stride).blocks(self._tile(across)), key=lambda tile: self._distance(tile, centre)
        )
        classifier, values = self._classifier, self._values
        if classifier is None:
            return
        waiting: deque[Future[PredictedPart | None]] = deque()
        try:
            for tile in tiles:
                waiting.append(self._pool.submit(self._predict_tile, tile, view, classifier, values))
                if len(waiting) >= self._ahead and (part := waiting.popleft().result()):
                    yield part
            while waiting:
                if part := waiting.popleft().result():
                    yield part
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the threads; what is computing is finished first."""
        self._pool.shutdown(cancel_futures=True)

    def _tile(self, across: int = 0) -> Shape:
        z, y, x = self.bank.stride
        if self.bank.dimensions == 3:
            return z, TILE // 2 // y * y, TILE // 2 // x * x
        if across == 0:
            return 1, TILE // y * y, TILE // x * x
        return (THROUGH, y, TILE // x * x) if across == 1 else (THROUGH, TILE // y * y, x)

    def _distance(self, tile: Box, focus: Sequence[float]) -> float:
        return tile.distance(focus, self.picture.spacing_um)

    def _tiles_of(self, boxes: Iterable[Box], labels: LabelReader, everywhere: bool) -> set[Box]:
        """Tiles in the boxes that hold labels, or held some when they were last looked at."""
        tiles: set[Box] = set()
        grid = self._tile()
        for box in boxes:
            labelled = [box] if everywhere else self._labelled_in(box, labels)
            for part in labelled:
                tiles.update(part.aligned(grid).clip(self.picture.shape).blocks(grid))
            if not everywhere:
                tiles.update(tile for tile in self._rows if tile.meet(box))
        return tiles

    def _labelled_in(self, box: Box, labels: LabelReader) -> list[Box]:
        parts = [box.meet(touched.box) for touched in labels.touched()]
        return [part for part in parts if part is not None]

    def _take_up(self, tile: Box, labels: LabelReader) -> None:
        labelled = in_block(labels.read(tile), tile)
        self._changed = True
        if not len(labelled):
            self._rows.pop(tile, None)
            return
        labelled = labelled.take(choose(labelled, PER_TILE, np.random.default_rng(self.config.seed)))
        whole = tile.aligned(self.bank.stride)
        features = self.bank.merge([level.astype(np.float32) for level in self._features(whole)])
        inner = self._with_margin(whole)
        z, y, x = (labelled.at - np.array(inner.start)).T
        self._rows[tile] = _Rows(np.ascontiguousarray(features[:, z, y, x].T), labelled)

    def _fit(self) -> bool:
        self._changed = False
        if not self._rows:
            self._classifier = None
            return False
        labelled = LabelledVoxels(
            np.concatenate([rows.labelled.at for rows in self._rows.values()]),
            np.concatenate([rows.labelled.values for rows in self._rows.values()]),
        )
        values = np.unique(labelled.values)
        if values.size < 2:
            self._classifier = None
            return False
        picks = choose(labelled, ROWS, np.random.default_rng(self.config.seed))
        rows = np.concatenate([rows.features for rows in self._rows.values()])[picks]
        targets = np.searchsorted(values, labelled.values[picks])
        if self.config.sigmas_um == "auto":
            rows[:, unspoken(rows, self.bank, labelled.at[picks], targets)] = 0
        passes = max(2, min(self.config.passes, STEPS * BATCH // targets.size))
        self._classifier = fit_classifier(rows, targets, self.config.changed(passes=passes))
        self._values = values.astype(np.uint8)
        return True

    def _with_margin(self, tile: Box) -> Box:
        """The tile with what smoothing its probabilities needs, at multiples of the stride; past far faces mirrored."""
        padded = Box.whole(self.picture.shape).aligned(self.bank.stride)
        return tile.grow(self._margin).aligned(self.bank.stride).clip(padded.shape)

    def _features(self, tile: Box) -> list[np.ndarray]:
        """Levels of the pyramid of a tile with its margin, half precision."""
        levels = self._levels.get(tile)
        if levels is None:
            wanted = self._with_margin(tile)
            reduced, origin = self._reduced(wanted)
            core = wanted.shift([-first for first in origin])
            levels = [level.astype(np.float16) for level in self.bank.pyramid(reduced, core)]
            self._levels.put(tile, levels, sum(level.nbytes for level in levels))
        return levels

    def _reduced(self, wanted: Box) -> tuple[Reduced, Shape]:
        """What the scales need to know of the part of the image that ``wanted`` begins in, and where it begins."""
        inner = wanted
        for axis in ("y", "x"):
            # parts of a grid: the tiles of one share what is read; a thin view is its own part across
            part = wanted.along(axis)
            if part.stop - part.start >= TILE // 2:
                start = part.start // PART * PART
                inner = inner.cut(axis, start, max(start + PART, part.stop))
        inner = inner.clip(self.picture.shape)
        outer = inner.grow(self.bank.halo).clip(self.picture.shape)
        planar = self.bank.dimensions == 2
        origin = (inner.start[0] if planar else outer.start[0], *outer.start[1:])
        with self._reading:  # neighbouring tiles need the same part: the second thread waits instead of reading it too
            reduced = self._parts.get(inner)
            if reduced is None:
                planes = inner.within(outer).slices[0] if planar else None
                reduced = self.bank.reduce(self._normalise(self.picture.read(outer)), planes)
                self._parts.put(inner, reduced, sum(level.nbytes for level in reduced.values()))
        return reduced, origin

    def _predict_tile(self, tile: Box, view: Box, classifier: Classifier, values: np.ndarray) -> PredictedPart | None:
        wanted = tile.meet(view)
        if wanted is None:
            return None
        levels = [level.astype(np.float32) for level in self._features(tile)]
        inner = self._with_margin(tile)
        probabilities = classifier.levels(self.bank, levels)
        real = inner.clip(self.picture.shape)
        probabilities = smooth(probabilities[:, *real.within(inner).slices], self._smoothing)
        shown = probabilities[:, *wanted.within(real).slices]
        confidence = np.clip(shown.max(axis=0) * 255 + 0.5, 0, 255).astype(np.uint8)
        return PredictedPart(wanted, values[shown.argmax(axis=0)], confidence)


def _across(picture: Picture) -> Example:
    """The image with four places to look at, spread over its planes, for the normalisation."""
    depth, height, width = picture.shape
    planes = sorted({depth // 8, 3 * depth // 8, 5 * depth // 8, 7 * depth // 8})
    at = np.array([[z, height // 2, width // 2] for z in planes])
    return Example(
        name="",
        read=picture.read,
        shape=picture.shape,
        channels=picture.channels,
        spacing_um=picture.spacing_um,
        labelled=LabelledVoxels(at, np.ones(len(at), np.int64)),
    )
