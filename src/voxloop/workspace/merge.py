"""The verb ``merge``: what was labelled in a copy of the workspace, taken in; conflicts are decided one by one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, VoxloopError, WorkspaceError, unknown
from voxloop.given import path_of, shown
from voxloop.plain_files import read_plain
from voxloop.store import Labels, Store
from voxloop.store.atomic import replace_json
from voxloop.store.merging.conflicts import BOTH, MINE, THEIRS, UNLABELLED, Conflict, Decisions
from voxloop.store.merging.marked import MarkMerge
from voxloop.store.merging.said import SaidMerge
from voxloop.store.merging.voxels import VoxelMerge
from voxloop.store.values import whole
from voxloop.workspace.copies import Counterpart, check_classes, class_values, counterparts, said_of_items
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    import pandas as pd

    from voxloop.review import Agreement


@dataclass(frozen=True, slots=True)
class Applied:
    """What a merge did: voxels and marks changed by level and image, and all of it in a line."""

    voxels: Mapping[tuple[str, str], int]
    marks: Mapping[tuple[str, str], int]
    words: str
    items: int = 0  # of how many images, frames and tiles something is said that was not

    def __repr__(self) -> str:
        return self.words


_Part = VoxelMerge | MarkMerge


class Merge:
    """What two people did in copies of a workspace since these parted; get one from ``ws.merge("../bobs-copy")``.

    Attributes
    ----------
    conflicts : where both said something else, the largest first; ``.decision`` says what was decided.
    remarks : what is in one of the two only, and was left out.
    """

    def __init__(
        self,
        project: Project,
        other: Store,
        parts: Sequence[_Part],
        remarks: Sequence[str],
        said: Sequence[SaidMerge] = (),
    ) -> None:
        self._said = list(said)
        self._project, self._other, self._parts = project, other, list(parts)
        self.remarks = list(remarks)
        self._file = project.layout.audits / "merge-decisions.json"
        self._decided = _read(self._file)
        self._done: list[tuple[Any, int]] = []
        self._list()

    @property
    def path(self) -> Path:
        """Where the copy lies."""
        return self._other.path

    # -------------------------------------------------------------------------------------------------------- look

    @property
    def agreement(self) -> dict[tuple[str, str], Agreement]:
        """By level and image: Dice, IoU, kappa, confusion of what both labelled since the copies parted."""
        from voxloop import review

        return {
            (part.labels.level.name, part.labels.image): review.agree(
                part.since(MINE), part.since(THEIRS), names=("here", "there"), region=part.region, unlabelled="skip"
            )
            for part in self._parts
            if isinstance(part, VoxelMerge) and part.region is not None
        }

    @property
    def undecided(self) -> int:
        """Conflicts of which nothing was decided, those that are not listed included."""
        return sum(one.decision is None for one in self.conflicts) + sum(part.unlisted for part in self._parts)

    @property
    def taken(self) -> int:
        """Voxels that were changed in the copy alone: no conflict."""
        return sum(part.taken for part in self._parts if isinstance(part, VoxelMerge))

    @property
    def words(self) -> str:
        """The whole of it in a few lines."""
        if not any(part.is_new for part in self._parts):
            what = "labelled" if any(one.items for one in self._said) else "done"
            lines = [f"nothing was {what} in {self.path.name} that is not here already"]
        else:
            many = len(self.conflicts) + sum(part.unlisted for part in self._parts)
            what = (
                f"{many:,} conflict{'s' if many > 1 else ''}, {self.undecided:,} not decided" if many else "no conflict"
            )
            lines = [f"{self.taken:,} voxels come from {self.path.name}, {what}"]
        for part in self._parts:
            where = f"{part.labels.level.name} on {part.labels.image}"
            if isinstance(part, MarkMerge) and part.is_new:
                lines.append(f"{where}: {part.words}")
            if part.is_new and not part.base.copied and not part.base.merged:
                lines.append(f"{where}: no edit in common, so the two are compared as they are")
        return "\n".join([*lines, *filter(None, (one.words for one in self._said)), *self.remarks])

    def table(self) -> pd.DataFrame:
        """A row a conflict."""
        import pandas as pd

        rows = [one.to_json() for one in self.conflicts]
        columns = ["level", "image", "point", "voxels", "mine", "theirs", "authors", "decision"]
        return pd.DataFrame(rows, columns=columns)

    def to_json(self) -> dict[str, Any]:
        """All of it, for a file."""
        return {
            "taken": self.taken,
            "undecided": self.undecided,
            "remarks": self.remarks,
            "agreement": {f"{level} on {image}": one.to_json() for (level, image), one in self.agreement.items()},
            "conflicts": [one.to_json() for one in self.conflicts],
        }

    def __repr__(self) -> str:
        lines = [self.words]
        lines += [f"{level} on {image}: {one.words}" for (level, image), one in self.agreement.items() if one.voxels]
        lines += [f"{at:4d}  {one.words}: {_said(one.decision)}" for at, one in enumerate(self.conflicts[:20])]
        more = len(self.conflicts) - 20
        return "\n".join([*lines, *([f"... and {more:,} more"] if more > 0 else [])])

    # ------------------------------------------------------------------------------------------------------- decide

    def decide(self, which: int | Iterable[int] | str, what: str | int | None) -> None:
        """Say what is to hold in a conflict; kept on disk, so that one may go on tomorrow.

        Parameters
        ----------
        which
            The number of a conflict, several, ``"all"`` or ``"rest"`` (all of which nothing was decided).
        what
            ``"mine"``, ``"theirs"``, ``"unlabelled"``, the name or value of a class; of points, boxes and pictures also
            ``"both"``, and no class. None takes a decision back.

        Raises
        ------
        LabelError
            There is no such conflict, or no such class in its level; then nothing was decided.
        """
        chosen = {at: self._decision(self.conflicts[at], what) for at in self._chosen(which)}
        for at, said in chosen.items():
            one = self.conflicts[at] = replace(self.conflicts[at], decision=said)
            if said is None:
                self._decided.pop(one.key, None)
            else:
                self._decided[one.key] = said
        self._keep()

    def apply(self, rest: str | int | None = None) -> Applied:
        """Take the copy in, as it was decided: one undo for each level and image, signed by who did it there.

        Parameters
        ----------
        rest
            What holds where nothing was decided: ``"mine"``, ``"theirs"``, ``"unlabelled"``.

        Raises
        ------
        LabelError
            Conflicts are not decided, and ``rest`` says nothing; then nothing has changed.
        ReadOnlyError
            Somebody else writes this workspace.
        """
        self._project.store.check_writable()
        if rest is not None and rest not in (MINE, THEIRS, UNLABELLED):
            raise LabelError(
                unknown("rest", rest if isinstance(rest, str) else shown(rest), (MINE, THEIRS, UNLABELLED))
            )
        if any(part.labels.sequence != part.sequence for part in self._parts):
            self.look()
        if self.undecided and rest is None:
            raise LabelError(
                f"nothing was decided of {self.undecided:,} conflicts; merge.decide(i, 'mine') does that, or "
                "apply(rest='mine') for all of them"
            )
        decisions = Decisions(self._decided, rest)
        done: list[_Part] = []
        voxels: dict[tuple[str, str], int] = {}
        marks: dict[tuple[str, str], int] = {}
        try:
            for part in self._parts:
                made = part.apply(decisions)
                done += [part] if made else []
                place = part.labels.level.name, part.labels.image
                if isinstance(part, VoxelMerge):
                    voxels[place] = sum(edit.voxels for edit in made)
                else:
                    marks[place] = sum(getattr(edit, "marks", 0) for edit in made)
            items = sum(one.apply() for one in self._said)
        except BaseException:
            for one in self._said:
                one.undo()
            for part in done:
                part.labels.undo()
            raise
        self._done = [(part.labels, part.labels.sequence) for part in done]
        for key in [one.key for one in self.conflicts]:
            self._decided.pop(key, None)
        self._keep()
        total = sum(voxels.values())
        where = sum(1 for number in (*voxels.values(), *marks.values()) if number)
        more = f" and {sum(marks.values()):,} marks" if marks else ""
        also = f"; what is said of {items:,} items" if items else ""
        words = f"{total:,} voxels{more} changed in {where} of {len(self._parts)} label arrays"
        self.look()
        return Applied(voxels, marks, words + also if done or items else "nothing to take in", items)

    def undo(self) -> int:
        """Take back what :meth:`apply` did, where nothing was edited since; of how many label arrays
        and lists of items."""
        undone = sum(one.undo() for one in self._said)
        for labels, sequence in self._done:
            if labels.sequence == sequence and labels.undo() is not None:
                undone += 1
        self._done = []
        self.look()
        return undone

    def look(self) -> None:
        """Compare with what is labelled by now; decisions stay where their conflict is the same."""
        for part in (*self._parts, *self._said):
            part.look()
        self._list()

    def close(self) -> None:
        """Let go of the copy."""
        self._other.close()

    def __enter__(self) -> Merge:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------------- helpers

    def _list(self) -> None:
        found = [one for part in self._parts for one in part.conflicts]
        found.sort(key=lambda one: -one.voxels)
        self.conflicts: list[Conflict] = [replace(one, decision=self._decided.get(one.key)) for one in found]

    def _chosen(self, which: Any) -> list[int]:
        count = len(self.conflicts)
        if isinstance(which, str):
            if which not in ("all", "rest"):
                raise LabelError(unknown("conflicts", which, ("all", "rest")))
            return [at for at, one in enumerate(self.conflicts) if which == "all" or one.decision is None]
        which = which.tolist() if isinstance(which, np.ndarray) else which
        given = list(which) if isinstance(which, Iterable) else [which]
        numbers = [whole("conflict", one) for one in given]
        for number in numbers:
            if not 0 <= number < count:
                known = f"there are conflicts 0 to {count - 1}" if count else "there is none"
                raise LabelError(f"there is no conflict {number}; {known}")
        return numbers

    def _decision(self, conflict: Conflict, what: Any) -> str | int | None:
        """What may be decided of a conflict. Raises LabelError."""
        if what is None or (isinstance(what, str) and what in (MINE, THEIRS, UNLABELLED)):
            return what
        by_place = {(part.labels.level.name, part.labels.image): part.labels for part in self._parts}
        labels = by_place[conflict.level, conflict.image]
        if not isinstance(labels, Labels):
            if what == BOTH and labels.level.kind != "pictures":
                return BOTH
            raise LabelError(unknown("decision", shown(what), (MINE, THEIRS, UNLABELLED, BOTH)))
        names = [one.name for one in labels.level.classes]
        if isinstance(what, str) and what not in names:
            raise LabelError(unknown("decision", what, (MINE, THEIRS, UNLABELLED, *names)))
        return int(labels.paintable(what))

    def _keep(self) -> None:
        if self._project.read_only:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_json(self._file, self._decided)
        except OSError as error:
            raise WorkspaceError(f"the decision could not be kept in {self._file} ({error.strerror})") from error


def merge(
    project: Project,
    other: str | Path,
    *,
    level: str | None = None,
    image: str | None = None,
    classes: Mapping[str, str | None] | None = None,
) -> Merge:
    """What was labelled in a copy of this workspace since it was copied; nothing changes before ``.apply()``.

    Where one of the two changed a voxel, what that one says holds. Where both changed it to something else there is a
    conflict, which somebody decides. What earlier merges took in is not asked again.

    Parameters
    ----------
    other
        The folder of the copy; it is only read.
    level, image
        Only these; None: all that are in both, levels by name, images by name and by what they show.
    classes
        Classes of the copy and what they are here, where the names differ: ``{"mito": "mitochondria"}``; None leaves
        one out.

    Raises
    ------
    WorkspaceError
        There is no workspace, it is this one, or they have no image in common.
    LabelError
        The copy has labels of a class that is not here, or a journal that is damaged.

    Examples
    --------
    >>> import shutil
    >>> copied = shutil.copytree("cells", "bob")
    >>> with vl.Workspace.open("bob") as bob:
    ...     bob.labels().paint(index=1, points=[(30, 30)], radius=2, value="background")
    Edit(sequence=4, tool='paint', box=Box(start=(1, 28, 28), stop=(2, 33, 33)), voxels=13, outside={})
    >>> merge = ws.merge("bob")
    >>> merge
    13 voxels come from bob, no conflict
    >>> merge.apply()
    13 voxels and 0 marks changed in 1 of 4 label arrays
    """
    path, told = path_of(other, error=WorkspaceError), check_classes(classes)
    if path.resolve() == project.path.resolve():
        raise WorkspaceError(f"{path} is this workspace itself; give the folder of the copy")
    copy = Store.open(path, read_only=True)
    try:
        found = counterparts(project.store, copy, level, image)
        parts: list[_Part] = []
        known = {one.name for pair in found.pairs for one in pair.their_level.classes}
        strange = next((name for name in told if name not in known), None)
        if strange is not None:
            raise LabelError(unknown("class of the copy", strange, sorted(known)))
        for pair in found.pairs:
            parts.append((_voxels if pair.level.raster else _marks)(project, copy, pair, told))
        said = said_of_items(project, copy, found.images) if level is None and image is None else ()
        return Merge(project, copy, parts, found.remarks, said)
    except VoxloopError:
        copy.close()
        raise


def _voxels(project: Project, copy: Store, pair: Counterpart, classes: Mapping[str, str | None]) -> VoxelMerge:
    mine = project.labels(pair.level.name, pair.image)
    theirs = copy.labels(pair.their_level.name, pair.their_image)
    if mine.shape != theirs.shape:
        raise LabelError(f"{pair.image!r} has shape {mine.shape} here and {theirs.shape} there")
    values = None
    if pair.level.kind == "semantic":
        values = class_values(pair.level, pair.their_level, theirs.counts(), classes)
    return VoxelMerge(mine, theirs, values, str(copy.path))


def _marks(project: Project, copy: Store, pair: Counterpart, classes: Mapping[str, str | None]) -> MarkMerge:
    mine = project.store.marks(None, pair.level.name, pair.image)
    theirs = copy.marks(None, pair.their_level.name, pair.their_image)
    used = {pair.their_level.value_of(name): count for name, count in theirs.counts().items() if name}
    return MarkMerge(mine, theirs, class_values(pair.level, pair.their_level, used, classes), str(copy.path))


def _said(decision: str | int | None) -> str:
    return "not decided" if decision is None else f"class {decision}" if isinstance(decision, int) else decision


def _read(file: Path) -> dict[str, str | int]:
    with suppress(OSError, ValueError, AttributeError):
        told = json.loads(read_plain(file))
        return {str(key): said for key, said in told.items() if isinstance(said, str | int)}
    return {}
