"""Named training sets: which labels of which images a training learns from. Every version of a set is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from voxloop.errors import LabelError, WorkspaceError, unknown
from voxloop.geometry import Box
from voxloop.given import shown
from voxloop.store.document import SetRow, TrainingSet, check_name
from voxloop.store.images import Images
from voxloop.store.levels import Levels
from voxloop.store.named import Keeper, Named
from voxloop.store.regions import Regions
from voxloop.store.values import as_list, text

Rows = Iterable[str | tuple[Any, ...] | Mapping[str, Any] | SetRow]


class Sets(Named[TrainingSet]):
    """Mapping of :class:`TrainingSet` by name: ``sets["cells"]`` is the newest version, ``sets["cells@2"]`` the second.

    A row names an image, a level and a region. The box of a region is written down with the row, so a version means
    the same voxels for good, whatever becomes of the region's name.

    Examples
    --------
    >>> training = ws.sets.add("training", [("stack", "labels", (slice(0, 4),))])
    >>> training.name, training.version, len(training.rows)
    ('training', 1, 1)
    >>> ws.sets.edit("training", ["stack"]).version
    2
    """

    def __init__(self, store: Keeper, images: Images, levels: Levels, regions: Regions) -> None:
        super().__init__(store)
        self._images, self._levels, self._regions = images, levels, regions

    @property
    def names(self) -> list[str]:
        return list(self._store.document.sets)

    def __getitem__(self, name: str) -> TrainingSet:
        plain, _, number = str(name).rpartition("@") if "@" in str(name) else (str(name), "", "")
        found = self.versions(plain)
        if not number:
            return found[-1]
        for one in found:
            if str(one.version) == number:
                return one
        raise WorkspaceError(f"set {plain!r} has versions 1 to {found[-1].version}, not {number}")

    def _title(self, name: str) -> str:
        return self[name].title

    def versions(self, name: str) -> tuple[TrainingSet, ...]:
        """All versions of a set, oldest first."""
        if name not in self:
            raise WorkspaceError(unknown("training set", name, self.names))
        return self._store.document.sets[name]

    def add(self, name: str, rows: Rows | None = None, note: str = "") -> TrainingSet:
        """Make a set.

        Parameters
        ----------
        rows
            Names of images, or ``(image, level)``, or ``(image, level, region)``, or dicts with these keys. Level None
            is the only one; region is None (the whole image), slices (z, y, x) in voxels, or the name of a region of
            that image. None: every image on which something is labelled.

        Raises
        ------
        WorkspaceError
            The name is taken, or an image or region is not known.
        LabelError
            No rows, or levels whose classes differ.
        """
        self._store.check_writable()
        name = check_name("training set", name)
        if name in self.names:
            raise WorkspaceError(f"there is a training set {name!r} already; edit or duplicate it")
        new = TrainingSet(name=name, rows=self._checked(rows), note=text("note", note), created=_now())
        self._store.change(sets={**self._store.document.sets, name: (new,)})
        return new

    def duplicate(self, name: str, new: str | None = None) -> TrainingSet:
        """A second set that begins as this one (or as ``"name@2"``) is; ``new`` is ``"name copy"`` where not given."""
        found = self[name]
        stem = f"{found.name} copy"
        free = next(f"{stem} {n}" if n > 1 else stem for n in range(1, 10_000) if _numbered(stem, n) not in self.names)
        return self.add(free if new is None else new, found.rows, note=f"copy of {found.title}")

    def edit(self, name: str, rows: Rows, note: str = "") -> TrainingSet:
        """Give a set other rows: a new version, those before are kept. The same rows change nothing."""
        self._store.check_writable()
        before = self.versions(name)
        checked = self._checked(rows)
        if checked == before[-1].rows:
            return before[-1]
        new = TrainingSet(
            name=name, version=before[-1].version + 1, rows=checked, note=text("note", note), created=_now()
        )
        self._store.change(sets={**self._store.document.sets, name: (*before, new)})
        return new

    def remove(self, name: str) -> None:
        """Forget a set and its versions. Labels stay, and runs that used it still say what it was."""
        self._store.check_writable()
        self.versions(name)
        self._store.change(sets={key: value for key, value in self._store.document.sets.items() if key != name})

    # ------------------------------------------------------------------------------------------------------- helpers

    def _checked(self, rows: Rows | None) -> tuple[SetRow, ...]:
        given = self._labelled() if rows is None else as_list("rows", rows)
        found = tuple(dict.fromkeys(self._row(row) for row in given))
        if not found:
            raise LabelError("a training set needs at least one row: (image, level, region)")
        first = self._levels[found[0].level]
        meaning = {(c.value, c.name) for c in first.classes}
        for row in found:
            level = self._levels[row.level]
            if level.kind != first.kind or {(c.value, c.name) for c in level.classes} != meaning:
                raise LabelError(
                    f"levels {first.name!r} and {level.name!r} have different classes; the rows of one training set "
                    "say the same with the same value"
                )
        return found

    def _row(self, row: str | tuple[Any, ...] | Mapping[str, Any] | SetRow) -> SetRow:
        if isinstance(row, SetRow):
            again = self._row({"image": row.image, "level": row.level, "region": row.box, "name": row.region})
            return row if row == again else again  # the same object: a version says what it keeps of the one before
        if isinstance(row, str):
            row = (row,)
        if not isinstance(row, Mapping):
            if not isinstance(row, tuple | list) or not 1 <= len(row) <= 3:
                raise LabelError(f"{shown(row)} is no row of a training set; use (image, level, region)")
            row = dict(zip(("image", "level", "region"), row, strict=False))
        for key in row:
            if key not in ("image", "level", "region", "name"):
                raise LabelError(unknown("key of a row", key, ("image", "level", "region")))
        image, level, region = self._images.one(row.get("image")), row.get("level"), row.get("region")
        if level is None:
            names = self._levels.painted
            if len(names) != 1:
                raise LabelError(f"say which level: there are {', '.join(map(repr, names)) or 'none'}")
            level = names[0]
        level = self._levels[level].name
        if region is None:
            return SetRow(image=image, level=level)
        name = row.get("name")
        if isinstance(region, str):
            named = self._regions[region]
            if named.image != image:
                raise WorkspaceError(f"region {region!r} belongs to image {named.image!r}, not to {image!r}")
            name, box = region, named.box
        else:
            box = Box.of(region, self._images.info(image).shape)
        return SetRow(image=image, level=level, region=name, box=box)

    def _labelled(self) -> list[tuple[str, str]]:
        return [
            (image, level)
            for level in self._levels.painted[:1]
            for image in self._images.names
            if any(value and count for value, count in self._store.labels(level, image).counts().items())
        ]


def _numbered(stem: str, n: int) -> str:
    return f"{stem} {n}" if n > 1 else stem


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
