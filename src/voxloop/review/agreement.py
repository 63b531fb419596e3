"""Two labelings of anything held against each other, block by block; neither is the truth. Knows no learner, no widget.

The voxels are read twice: once to count what meets what, once for boundaries and for the places where the two differ.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, VolumeError
from voxloop.geometry import Box, Spacing
from voxloop.given import shown as spelled
from voxloop.review import metrics
from voxloop.review.boundaries import REACH, BoundaryDistance, BoundaryTally
from voxloop.review.contingency import ContingencyTable, count, merge
from voxloop.review.reading import Readable, readable, same_shape, walk
from voxloop.review.relating import Mapped, Relation, as_mapping, relate

if TYPE_CHECKING:
    import pandas as pd

OVERLAPS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
#: blocks whose tables are kept apart at a time
_MERGE_EVERY = 64
#: voxels that are read at once for boundaries, which need what lies around as well
_BLOCK = (64, 256, 256)
#: differences that are kept, the largest
MOST = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """A connected piece in which two labelings say something else; one that a block cuts is one in each of them."""

    box: Box
    point: tuple[int, int, int]
    voxels: int
    one: str
    other: str


class DifferenceArray:
    """Where two labelings differ, read by the piece: 0 nowhere, 1 the first alone labels something that is not
    background, 2 the second alone, 3 both, another."""

    def __init__(self, one: Readable, other: Readable, relation: Relation) -> None:
        self._one, self._other, self._relation = one, other, relation
        self.shape = one.shape

    def places(self, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """What both say of a box, as places in the relation's classes."""
        relation = self._relation
        return relation.places(self._one.read(box)), relation.places(self._other.read(box), second=True)

    def read(self, box: Box) -> np.ndarray:
        """The difference in a box, uint8."""
        one, other = self.places(box)
        differ = (one != other) & (one >= 0) & (other >= 0)
        grounds = list(self._relation.background)
        a, b = ~np.isin(one, grounds), ~np.isin(other, grounds)
        return np.asarray(np.where(differ, a + 2 * b, 0) + np.where(differ & ~a & ~b, 3, 0), np.uint8)

    def __getitem__(self, key: Any) -> np.ndarray:
        steps = [part.step or 1 if isinstance(part, slice) else 1 for part in key]
        plain = [
            slice(*part.indices(n)[:2]) if isinstance(part, slice) else int(part)
            for part, n in zip(key, self.shape, strict=True)
        ]
        found = self.read(Box.of(tuple(plain), self.shape))
        at = tuple(
            slice(None, None, step) if isinstance(part, slice) else 0 for part, step in zip(plain, steps, strict=True)
        )
        return np.asarray(found[at])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Agreement:
    """How far two labelings agree.

    Attributes
    ----------
    names : what they are called.
    classes : those of the first, then what only the second has; of instances "none" and "object".
    confusion : (classes, classes) voxels by what the first and what the second says.
    voxels : those that both label; ``left_out``: labelled by one of them at most.
    accuracy, kappa : share that is the same, and Cohen's kappa: what of that chance does not explain.
    dice, iou : by class; nan where a class is in neither.
    boundaries : by class, in micrometres; None where it has none, or none were asked for.
    ap : of instances, by overlap: objects matched / (matched + of one alone). Empty otherwise.
    objects : of instances, how many each has.
    differences : the largest pieces in which they differ, largest first.
    array : where they differ, lazily: ``array[12, :, :]``.
    """

    names: tuple[str, str]
    classes: tuple[str, ...]
    confusion: np.ndarray
    left_out: int
    boundaries: dict[str, BoundaryDistance | None] = field(default_factory=dict)
    ap: dict[float, float] = field(default_factory=dict)
    arand: float = float("nan")
    objects: tuple[int, int] | None = None
    differences: tuple[Difference, ...] = ()
    array: DifferenceArray

    @property
    def voxels(self) -> int:
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.confusion) / self.voxels) if self.voxels else float("nan")

    @property
    def kappa(self) -> float:
        """Cohen's kappa; nan where both say one and the same class everywhere, since chance then explains all."""
        if not self.voxels:
            return float("nan")
        shares = self.confusion / self.voxels
        chance = float(shares.sum(axis=1) @ shares.sum(axis=0))
        return (self.accuracy - chance) / (1 - chance) if chance < 1 else float("nan")

    @property
    def iou(self) -> dict[str, float]:
        both = np.diag(self.confusion).astype(float)
        either = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - both
        return self._by_class(both, either)

    @property
    def dice(self) -> dict[str, float]:
        both = np.diag(self.confusion).astype(float)
        return self._by_class(2 * both, (self.confusion.sum(axis=0) + self.confusion.sum(axis=1)).astype(float))

    def _by_class(self, part: np.ndarray, whole: np.ndarray) -> dict[str, float]:
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(whole > 0, part / whole, np.nan)
        return dict(zip(self.classes, values.tolist(), strict=True))

    def table(self) -> pd.DataFrame:
        """A row a class: voxels of both, Dice, IoU, distance of boundaries in micrometres (mean, 95th percentile)."""
        import pandas as pd

        dice, iou = self.dice, self.iou
        rows = []
        for place, name in enumerate(self.classes):
            found = self.boundaries.get(name)
            rows.append(
                {
                    "class": name,
                    self.names[0]: int(self.confusion[place].sum()),
                    self.names[1]: int(self.confusion[:, place].sum()),
                    "dice": dice[name],
                    "iou": iou[name],
                    "boundary_um": float("nan") if found is None else found.mean_um,
                    "boundary_95_um": float("nan") if found is None else found.worst_um,
                }
            )
        return pd.DataFrame(rows)

    def confusion_table(self) -> pd.DataFrame:
        """Voxels: rows what the first says, columns what the second does."""
        import pandas as pd

        return pd.DataFrame(self.confusion, index=list(self.classes), columns=list(self.classes))

    @property
    def words(self) -> str:
        """The whole of it in a line."""
        if not self.voxels:
            return f"{self.names[0]} and {self.names[1]} label no voxel in common"
        words = f"{self.names[0]} and {self.names[1]} agree on {self.accuracy:.1%} of {self.voxels:,} voxels"
        words += f", kappa {self.kappa:.3f}" if np.isfinite(self.kappa) else ""
        if self.objects is not None:
            words += f"; {self.objects[0]:,} and {self.objects[1]:,} objects, AP at half overlap {self.ap[0.5]:.3f}"
        return words

    def to_json(self) -> dict[str, Any]:
        """All but the array, for a file."""
        boundaries = {name: None if one is None else asdict(one) for name, one in self.boundaries.items()}
        return {
            "names": list(self.names),
            "classes": list(self.classes),
            "confusion": self.confusion.tolist(),
            "voxels": self.voxels,
            "left_out": self.left_out,
            "accuracy": _number(self.accuracy),
            "kappa": _number(self.kappa),
            "dice": {name: _number(value) for name, value in self.dice.items()},
            "iou": {name: _number(value) for name, value in self.iou.items()},
            "boundaries": boundaries,
            "ap": {str(overlap): value for overlap, value in self.ap.items()},
            "arand": _number(self.arand),
            "objects": None if self.objects is None else list(self.objects),
        }

    def __repr__(self) -> str:
        lines = [
            self.words + (f" ({self.left_out:,} left out)" if self.left_out else ""),
            "",
            self.table().to_string(index=False),
        ]
        return "\n".join([*lines, "", "confusion, voxels:", self.confusion_table().to_string()])


def agree(
    one: Any,
    other: Any,
    *,
    names: tuple[str, str] = ("one", "other"),
    mapping: Mapped | None = None,
    region: object = None,
    kind: str = "auto",
    unlabelled: str = "auto",
    boundaries: bool = True,
    reach_um: float | None = None,
    frames: bool = False,
    spacing_um: Spacing | None = None,
) -> Agreement:
    """Hold two labelings of the same voxels against each other; see :meth:`Workspace.agreement` for the parameters.

    ``spacing_um`` is that of the image; what the labelings say themselves where not given.
    """
    mapping = as_mapping(mapping)
    first, second = readable(one, names[0]), readable(other, names[1])
    same_shape(first, second, names)
    if not isinstance(kind, str) or kind not in ("auto", "semantic", "instances"):
        raise VolumeError(f"kind {kind!r} is not 'auto', 'semantic' or 'instances'")
    if not isinstance(unlabelled, str) or unlabelled not in ("auto", "skip", "class"):
        raise VolumeError(f"unlabelled {unlabelled!r} is not 'auto', 'skip' or 'class'")
    if mapping is not None and not isinstance(mapping, Mapping):
        raise LabelError(f"mapping={spelled(mapping)} is no dict of classes; such as {{'mito': 'mitochondria'}}")
    box = _common(first, second, region)
    table = _count(first, second, box)
    if kind == "instances" or (kind == "auto" and (first.instances or second.instances)):
        relation, found = _instances(table)
        shown = Relation(("none", "object"), {}, {}, frozenset({0}))
        confusion = _objects(table)
        left_out = 0
    else:
        skip = _skips(first, second, mapping, unlabelled)
        relation = shown = relate(table, first.classes, second.classes, mapping, skip)
        confusion = _confusion(table, relation)
        left_out, found = table.total - int(confusion.sum()), {}
    array = DifferenceArray(first, second, relation)
    spacing = spacing_um or first.spacing_um or second.spacing_um or (1.0, 1.0, 1.0)
    reach = REACH * min(spacing[1:]) if reach_um is None else reach_um
    tally = BoundaryTally(first.shape, spacing, len(shown.names), reach, frames) if boundaries else None
    differences = _walk(array, box, relation, tally, objects=bool(found))
    distances = {} if tally is None else {name: tally.result(at) for at, name in enumerate(shown.names)}
    return Agreement(
        names=names,
        classes=shown.names,
        confusion=confusion,
        left_out=left_out,
        boundaries=distances,
        differences=differences,
        array=array,
        **found,
    )


def _common(first: Readable, second: Readable, region: object) -> Box:
    box: Box | None = Box.of(region, first.shape)
    for part in (first.box, second.box):
        if part is not None and box is not None:
            box = box.meet(part)
    if box is None:
        raise VolumeError("the two have no voxel in common there: one of them was predicted elsewhere")
    return box


def _count(first: Readable, second: Readable, box: Box) -> ContingencyTable:
    table, waiting = merge([]), []
    for block in walk(box):
        waiting.append(count(first.read(block), second.read(block)))
        if len(waiting) == _MERGE_EVERY:
            table, waiting = merge([table, *waiting]), []
    return merge([table, *waiting])


def _skips(first: Readable, second: Readable, mapping: Mapped | None, unlabelled: str) -> tuple[bool, bool]:
    """Whether 0 of each says that nobody labelled: by itself, where the classes are known."""
    if unlabelled != "auto":
        return unlabelled == "skip", unlabelled == "skip"
    means_something = mapping is not None and any(key in (0, "0") for key in mapping)
    return bool(first.classes), bool(second.classes) and not means_something


def _confusion(table: ContingencyTable, relation: Relation) -> np.ndarray:
    one, other = relation.places(table.truth), relation.places(table.prediction, second=True)
    both = (one >= 0) & (other >= 0)
    confusion = np.zeros((len(relation.names), len(relation.names)), np.int64)
    np.add.at(confusion, (one[both], other[both]), table.voxels[both])
    return confusion


def _objects(table: ContingencyTable) -> np.ndarray:
    """Confusion of object and none."""
    confusion = np.zeros((2, 2), np.int64)
    np.add.at(confusion, ((table.truth > 0).astype(int), (table.prediction > 0).astype(int)), table.voxels)
    return confusion


def _instances(table: ContingencyTable) -> tuple[Relation, dict[str, Any]]:
    """Objects of the second by the numbers of those of the first that they are; and what is scored of that."""
    matchings = {overlap: metrics.match(table, overlap) for overlap in OVERLAPS}
    half = matchings[0.5]
    first, at_first = np.unique(table.truth, return_inverse=True)
    second, at_second = np.unique(table.prediction, return_inverse=True)
    of_first, of_second = np.bincount(at_first, table.voxels), np.bincount(at_second, table.voxels)
    overlap = table.voxels / (of_first[at_first] + of_second[at_second] - table.voxels)
    same = (overlap > 0.5) & (table.truth > 0) & (table.prediction > 0)
    place = {int(value): number for number, value in enumerate(first.tolist())}
    place.setdefault(0, len(place))
    partner = dict(zip(table.prediction[same].tolist(), table.truth[same].tolist(), strict=True))
    others: dict[int, int] = {0: place[0]}
    for value in second.tolist():
        if value:
            others[int(value)] = place[partner[value]] if value in partner else len(place) + len(others)
    found = {
        "ap": {overlap: matching.precision for overlap, matching in matchings.items()},
        "arand": metrics.rand_error(table),
        "objects": (half.matched + half.missed, half.matched + half.extra),
    }
    return Relation((), place, others, frozenset({place[0]})), found


def _walk(
    array: DifferenceArray, box: Box, relation: Relation, tally: BoundaryTally | None, *, objects: bool
) -> tuple[Difference, ...]:
    """Boundaries of all blocks, and the largest pieces that differ."""
    largest: list[tuple[int, int, Difference]] = []
    number = 0
    (ground,) = relation.background if objects else (-1,)

    def read(around: Box) -> tuple[np.ndarray, np.ndarray]:
        one, other = array.places(around)
        if objects:
            return (one != ground).astype(np.int32), (other != ground).astype(np.int32)
        return one, other

    for block in walk(box, block=_BLOCK):
        one, other = array.places(block)
        differ = (one != other) & (one >= 0) & (other >= 0)
        if differ.any():
            for piece in _pieces(differ, one, other, block, relation):
                number += 1
                heapq.heappush(largest, (piece.voxels, -number, piece))
                if len(largest) > MOST:
                    heapq.heappop(largest)
        if tally is not None:
            tally.add(block, read)
    return tuple(piece for _, _, piece in sorted(largest, key=lambda item: item[:2], reverse=True))


def _pieces(
    differ: np.ndarray, one: np.ndarray, other: np.ndarray, block: Box, relation: Relation
) -> Sequence[Difference]:
    from scipy import ndimage

    parts, many = ndimage.label(differ)
    sizes = np.bincount(parts.ravel(), minlength=many + 1)
    keep = np.argsort(sizes[1:])[::-1][:MOST] + 1
    boxes = ndimage.find_objects(parts)
    found = []
    for part in keep.tolist():
        at = boxes[part - 1]
        mask = parts[at] == part
        place = np.argwhere(mask)[int(mask.sum()) // 2]
        start = [first + piece.start for first, piece in zip(block.start, at, strict=True)]
        point = tuple(int(first + step) for first, step in zip(start, place, strict=True))
        says = [int(np.bincount(values[at][mask]).argmax()) for values in (one, other)]
        found.append(
            Difference(
                Box.at(start, mask.shape),
                (point[0], point[1], point[2]),
                int(sizes[part]),
                *(_says(relation, place) for place in says),
            )
        )
    return found


def _says(relation: Relation, place: int) -> str:
    if relation.names:
        return relation.names[place]
    return "none" if place in relation.background else "object"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
