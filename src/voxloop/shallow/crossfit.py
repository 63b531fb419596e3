"""Models fitted to a part of the labels and asked about the rest, just as a model of all of them would be.

Features are computed once for all models. Knows no workspace and no runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from voxloop.config.shallow import ShallowConfig
from voxloop.geometry import Box, cover
from voxloop.shallow.classifier import Classifier, Member, fit_classifier, fit_member, shares, teach
from voxloop.shallow.features import FeatureBank, Reduced
from voxloop.shallow.folds import Folds, folds_for
from voxloop.shallow.gathering import SLAB_2D, SLAB_3D, BlockSource, groups, multiple
from voxloop.shallow.model import smooth, smoothing_kernels, smoothing_sigma
from voxloop.shallow.samples import APART
from voxloop.shallow.table import FeatureTable

#: labelled voxels are asked about in cells of a plane, so many at most, of this side
CELLS, SIDE = 150, 32
#: in place of the number of a part: nothing is held out
NO_PART = -1


@dataclass(frozen=True, eq=False)
class Answers:
    """What models said of voxels that they had not learned from.

    Attributes
    ----------
    at : (n, 3) zyx, images apart by :data:`voxloop.shallow.samples.APART` planes.
    targets : (n,) position of the class painted there.
    weights : (n,) so that classes weigh what they weigh among all that is labelled; their mean is 1.
    cells : (n,) which piece of a plane a voxel lies in.
    probabilities : (n, classes).
    """

    at: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    cells: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True, eq=False)
class _Cell:
    """A piece of a plane with labels.

    Attributes
    ----------
    levels : features of it and of what smoothing needs around, half precision.
    box : where these lie in the image.
    inside : what of them the image holds.
    members : labelled voxels in it, as positions among those chosen.
    at : (n, 3) where these lie in the image.
    """

    levels: list[np.ndarray]
    box: Box
    inside: Box
    members: np.ndarray
    at: np.ndarray


class CrossFit:
    """The voxels that are asked about, and what is needed to ask any model; ``table`` is of single voxels."""

    def __init__(
        self, sources: Sequence[BlockSource], bank: FeatureBank, table: FeatureTable, threads: int = 1, seed: int = 0
    ) -> None:
        self._sources = sources
        self._bank = bank
        self._table = table
        self._threads = threads
        self._fitted: dict[str, Classifier] = {}
        self._members: dict[tuple[int, Member], Classifier] = {}
        self._prepared: dict[tuple[int, ...], list[_Cell]] = {}
        taught = np.flatnonzero(table.kept)
        self.folds: Folds = folds_for(table.chosen.at[taught], table.targets[taught])
        self._fold = self.folds.of(table.chosen.at)
        self._cells = _cell_of(table.chosen.at)
        picked = np.random.default_rng(seed).permutation(np.unique(self._cells[taught]))[:CELLS]
        asked = taught[np.isin(self._cells[taught], picked)]
        self._asked = asked[np.isin(self._fold[asked], self._complete())]

    @property
    def possible(self) -> bool:
        """Whether two classes can be asked about by models that know all classes."""
        return len(np.unique(self._table.targets[self._asked])) > 1

    def answers(
        self, config: ShallowConfig, table: FeatureTable, heard: Callable[[], None] = lambda: None
    ) -> Answers | None:
        """What models with these settings say; None where not all of their classes are left when a part is held out.

        ``table`` is of the unit that is classified. Refinement of single voxels is left out. ``heard`` is called now
        and then and may raise.
        """
        return self._asked_of(config, table, self._asked, heard)

    def _asked_of(
        self, config: ShallowConfig, table: FeatureTable, asked: np.ndarray, heard: Callable[[], None]
    ) -> Answers | None:
        probabilities = np.zeros((len(asked), len(table.classes)), np.float32)
        for fold in np.unique(self._fold[asked]):
            heard()
            classifier = self._classifier(config, table, int(fold))
            if classifier is None:
                return None
            heard()
            rows = np.flatnonzero(self._fold[asked] == fold)
            with threadpool_limits(1, user_api="blas"):
                probabilities[rows] = self._ask(classifier, config, table, asked[rows])
        targets = self._table.targets[asked]
        return Answers(self._table.chosen.at[asked], targets, self._weights(targets), self._cells[asked], probabilities)

    @property
    def taught(self) -> np.ndarray:
        """Positions of the chosen voxels that teach and can be held out."""
        taught = np.flatnonzero(self._table.kept)
        return np.asarray(taught[np.isin(self._fold[taught], self._complete())])

    @property
    def units(self) -> np.ndarray:
        """(n,) which stroke each voxel of :attr:`taught` is of; which piece of a plane where nobody knows of one."""
        taught, strokes = self.taught, self._table.chosen.strokes
        drawn = np.zeros(len(taught), int) if strokes is None else strokes[taught]
        images = self._table.chosen.at[taught, 0] // APART
        names = np.column_stack([images, drawn, np.where(drawn > 0, 0, self._cells[taught])])
        _, inverse = np.unique(names, axis=0, return_inverse=True)
        return np.asarray(inverse).reshape(-1)

    def of_all(self, config: ShallowConfig, table: FeatureTable) -> Answers | None:
        """The same of all voxels that were chosen and teach, without smoothing: what single strokes are judged by."""
        return self._asked_of(config.changed(smoothing=0), table, self.taught, lambda: None)

    def of_all_without(
        self, rows: np.ndarray, config: ShallowConfig, heard: Callable[[], None] = lambda: None
    ) -> Answers | None:
        """The same by models that did not learn the chosen voxels of the mask ``rows`` either; of single voxels."""
        other = copy(self)
        other._table = self._table.without(rows)
        other._fitted, other._members = {}, {}
        return other._asked_of(config.changed(smoothing=0), other._table, self.taught, heard)

    def of_members(
        self, config: ShallowConfig, heard: Callable[[], None] = lambda: None
    ) -> tuple[np.ndarray, dict[Member, np.ndarray]]:
        """Which chosen voxels can be asked about, and what each classifier to blend says (n, classes) of them.

        All are asked about single voxels, without smoothing. ``heard`` is called now and then and may raise.
        """
        table, taught = self._table, self.taught
        answers: dict[Member, np.ndarray] = {}
        for member in shares(config, table.beside):
            features = self._tried(config, member)
            if features is None:
                continue
            answers[member] = np.zeros((len(taught), len(table.classes)), np.float32)
            for fold in np.unique(self._fold[taught]):
                heard()
                rows = np.flatnonzero(self._fold[taught] == fold)
                classifier = self._member(config, int(fold), member)
                with threadpool_limits(1, user_api="blas"):
                    answers[member][rows] = classifier.rows(features[taught[rows]])
        return taught, answers

    def of_surroundings(
        self, config: ShallowConfig, heard: Callable[[], None] = lambda: None
    ) -> dict[Member, np.ndarray]:
        """Which class (m,) each classifier to blend, of all that teaches, says of the voxels near the strokes."""
        table, said = self._table, {}
        if table.beside is None or not len(table.beside.around):
            return {}
        for member in shares(config, table.beside):
            around = member.rows_around(table.beside)
            if around is None or self._tried(config, member) is None:
                continue
            heard()
            classifier = self._member(config, NO_PART, member)
            with threadpool_limits(1, user_api="blas"):
                said[member] = classifier.rows(around).argmax(axis=1)
        return said

    def _tried(self, config: ShallowConfig, member: Member) -> np.ndarray | None:
        """What a classifier sees of the chosen voxels; None where there is no such thing, or nobody asks for it."""
        if config.features == "network" and not member.network:
            return None
        return member.rows(self._table.features, self._table.beside)

    def _member(self, config: ShallowConfig, fold: int, member: Member) -> Classifier:
        if (fold, member) not in self._members:
            rows = np.flatnonzero(self._table.kept & (self._fold != fold))
            features = member.rows(self._table.features, self._table.beside)
            assert features is not None
            self._members[fold, member] = fit_member(
                features[rows], self._table.targets[rows], member.kind, config, self._threads
            )
        return self._members[fold, member]

    def _ask(
        self, classifier: Classifier, config: ShallowConfig, table: FeatureTable, wanted: np.ndarray
    ) -> np.ndarray:
        if table.supervoxels:
            return _of_supervoxels(classifier, table, wanted)
        if not config.smoothing:
            return classifier.rows(self._table.features[wanted])
        return self._smoothed(classifier, config.smoothing, wanted)

    def _smoothed(self, classifier: Classifier, smoothing: float, wanted: np.ndarray) -> np.ndarray:
        kernels = smoothing_kernels(smoothing_sigma(self._bank, smoothing))
        rows = np.full(len(self._table.chosen), -1)
        rows[wanted] = np.arange(len(wanted))
        out = np.zeros((len(wanted), classifier.classes), np.float32)

        def ask(cell: _Cell) -> None:
            mine = rows[cell.members] >= 0
            if not mine.any():
                return
            levels = [level.astype(np.float32) for level in cell.levels]
            probabilities = classifier.levels(self._bank, levels)[:, *cell.inside.within(cell.box).slices]
            z, y, x = (cell.at[mine] - np.array(cell.inside.start)).T
            out[rows[cell.members[mine]]] = smooth(probabilities, kernels)[:, z, y, x].T

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(ask, self._surroundings(kernels)))
        return out

    def _surroundings(self, kernels: Sequence[np.ndarray | None]) -> list[_Cell]:
        """The cells that are asked about, with as much around them as the kernels reach."""
        reach = tuple(0 if weights is None else weights.size // 2 for weights in kernels)
        if reach not in self._prepared:
            owners = self._table.chosen.at[self._asked, 0] // APART
            cells: list[_Cell] = []
            for number in np.unique(owners):
                members = self._asked[owners == number]
                at = self._table.chosen.at[members] - number * np.array([APART, 0, 0])
                cells += _cells_around(self._sources[number], self._bank, at, members, reach, self._threads)
            self._prepared[reach] = cells
        return self._prepared[reach]

    def _complete(self) -> list[int]:
        """Parts without which every class is still there to learn."""
        targets, folds = self._table.targets[self._table.kept], self._fold[self._table.kept]
        classes = len(self._table.classes)
        return [fold for fold in range(self.folds.count) if len(np.unique(targets[folds != fold])) == classes]

    def _classifier(self, config: ShallowConfig, table: FeatureTable, fold: int) -> Classifier | None:
        """A model of all labels but those of a part; what comes after classifying does not change it."""
        key = f"{fold} {config.changed(smoothing=0, refine='none').to_json()}"
        if key not in self._fitted:
            rows = np.flatnonzero(table.kept & (self.folds.of(table.seats.at) != fold))
            targets = table.targets[rows]
            if len(np.unique(targets)) < len(table.classes):
                return None
            self._fitted[key] = self._fit(config, table, fold, rows)
        return self._fitted[key]

    def _fit(self, config: ShallowConfig, table: FeatureTable, fold: int, rows: np.ndarray) -> Classifier:
        features, targets = table.features[rows], table.targets[rows]
        beside = None if table.beside is None else table.beside.take(rows)
        if config.classifier != "blend" or table is not self._table:
            return fit_classifier(features, targets, config, self._threads, beside=beside)
        counted = [member for member, share in shares(config, beside).items() if share]
        members = {member: self._member(config, fold, member) for member in counted}
        with threadpool_limits(1, user_api="blas"):
            return teach(members, features, targets, config, beside)

    def _weights(self, targets: np.ndarray) -> np.ndarray:
        share = np.bincount(targets, minlength=len(self._table.classes)) / len(targets)
        weights = (self._table.shares / np.maximum(share, 1e-9))[targets]
        return np.asarray(weights / weights.mean())


def _cell_of(at: np.ndarray) -> np.ndarray:
    """The number of the piece of a plane that each voxel (n, 3) lies in."""
    _, inverse = np.unique(at // np.array([1, SIDE, SIDE]), axis=0, return_inverse=True)
    return np.asarray(inverse).reshape(-1)


def _cells_around(
    source: BlockSource, bank: FeatureBank, at: np.ndarray, members: np.ndarray, reach: tuple[int, ...], threads: int
) -> list[_Cell]:
    """The cells of one image in which the voxels ``at`` (n, 3) lie."""
    cells: list[_Cell] = []
    with ThreadPoolExecutor(threads) as pool, threadpool_limits(1, user_api="blas"):
        for _, of_slab in groups(at, source.shape, multiple(SLAB_2D, SLAB_3D, bank, bank.stride)):
            picks = [of_slab[of_cell] for of_cell in _by_cell(at[of_slab])]
            insides = [Box.around(at[pick]).grow(reach).clip(source.shape) for pick in picks]
            boxes = [inside.aligned(bank.stride) for inside in insides]
            # a stride as a face of the volume is mirrored there alone
            outer = cover(boxes).grow(bank.halo).clip(source.shape)
            reduced = bank.reduce(source.read(outer))
            cores = [box.within(outer) for box in boxes]
            pyramids = pool.map(lambda core, reduced=reduced: _levels(bank, reduced, core), cores)
            for levels, box, inside, pick in zip(pyramids, boxes, insides, picks, strict=True):
                cells.append(_Cell(levels, box, inside, members[pick], at[pick]))
    return cells


def _by_cell(at: np.ndarray) -> list[np.ndarray]:
    cells = _cell_of(at)
    return [np.flatnonzero(cells == cell) for cell in np.unique(cells)]


def _levels(bank: FeatureBank, reduced: Reduced, core: Box) -> list[np.ndarray]:
    return [level.astype(np.float16) for level in bank.pyramid(reduced, core)]


def _of_supervoxels(classifier: Classifier, table: FeatureTable, wanted: np.ndarray) -> np.ndarray:
    """Probabilities of chosen voxels, which are those of the supervoxels they lie in, refined."""
    rows = np.full(len(table.chosen), -1)
    rows[wanted] = np.arange(len(wanted))
    out = np.zeros((len(wanted), classifier.classes), np.float32)
    for look in table.looks:
        mine = rows[look.members] >= 0
        if not mine.any():
            continue
        probabilities = classifier.rows(look.rows)
        if table.refinement and look.contacts:
            probabilities = table.refinement.of_supervoxels(probabilities, look.contacts, look.rows)
        out[rows[look.members[mine]]] = probabilities[look.cells[mine]]
    return out
