"""The label levels of a workspace: add, rename, remove, and change their classes. Knows no label arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from voxloop.errors import LabelError, unknown
from voxloop.store.classes import LabelClass, Level, LevelKind, as_classes
from voxloop.store.document import check_name
from voxloop.store.images import Images
from voxloop.store.named import Keeper, Named


class Levels(Named[Level]):
    """Mapping of :class:`Level` by name, in the order they were added."""

    def __init__(self, store: Keeper, images: Images) -> None:
        super().__init__(store)
        self._images = images

    @property
    def names(self) -> list[str]:
        return [level.name for level in self._store.document.levels]

    def __getitem__(self, name: str) -> Level:
        levels = self._store.document.levels if isinstance(name, str) else ()
        for level in levels:
            if level.name == name:
                return level
        for level in levels:  # what it was called when an older run was made
            if level.folder == name:
                return level
        raise LabelError(unknown("level", name, self.names))

    def add(
        self,
        name: str,
        classes: Sequence[str | Mapping[str, Any] | LabelClass] | None = None,
        parent: tuple[str, str | None] | str | None = None,
        kind: LevelKind = "semantic",
    ) -> Level:
        """Add a level.

        Parameters
        ----------
        classes
            Names, dicts or :class:`LabelClass`; values count from 1. ``background``, ``other``, ``rest`` and
            ``nothing`` are background. Levels of instances may do without.
        parent
            ``(level, class)``: painting is confined to that class; ``level`` alone for a parent of instances.
        kind
            ``"semantic"`` (uint8 classes) or ``"instances"`` (uint32 numbers).

        Raises
        ------
        LabelError
            The name or a class is taken, the parent does not exist, the kind is neither.
        """
        self._store.check_writable()
        name = check_name("level", name)
        if name in self.names or any(level.folder == name for level in self._store.document.levels):
            raise LabelError(f"there is a level {name!r} already, or was under that name; choose another name")
        if not isinstance(kind, str) or kind not in ("semantic", "instances"):
            raise LabelError(f"kind {kind!r} is neither 'semantic' nor 'instances'")
        level = Level(name=name, kind=kind, classes=as_classes(classes), parent=self._parent(parent), folder=name)
        self._store.change(levels=(*self._store.document.levels, level))
        return level

    def rename(self, name: str, new: str) -> Level:
        """Give a level another name; files stay where they are, and older runs still find it."""
        new = check_name("level", new)
        if new in self.names:
            raise LabelError(f"there is a level {new!r} already; choose another name")
        self._store.check_writable()
        old = self[name]
        levels = []
        for level in self._store.document.levels:
            changes: dict[str, Any] = {"name": new} if level.name == old.name else {}
            if level.parent is not None and level.parent[0] == old.name:
                changes["parent"] = (new, level.parent[1])
            levels.append(level.model_copy(update=changes))
        self._store.change(levels=tuple(levels))
        return self[new]

    def remove(self, name: str) -> None:
        """Take a level out; its labels and journal move to ``removed/``, where they can be brought back from."""
        self._store.check_writable()
        level = self[name]
        child = next((one.name for one in self._store.document.levels if one.parent and one.parent[0] == name), None)
        if child is not None:
            raise LabelError(f"level {name!r} is the parent of {child!r}; remove that first")
        self._store.set_aside(level=level)
        self._store.change(levels=tuple(one for one in self._store.document.levels if one.name != level.name))

    def add_class(self, level: str, new: str | Mapping[str, Any] | LabelClass) -> LabelClass:
        """Add one class to a level."""
        classes = as_classes([*self[level].classes, new])
        self._replace(level, classes=classes)
        return classes[-1]

    def change_class(self, level: str, given: int | str, **changes: Any) -> LabelClass:
        """Change name, color, shortcut, visible, locked or background of a class; its value stays for good."""
        changing = self[level]
        old = changing.class_of(given)
        if "value" in changes:
            raise LabelError("the value of a class stands in the label array and cannot be changed; add a new class")
        changed = {**old.model_dump(), **changes}
        classes = as_classes([changed if item.value == old.value else item for item in changing.classes])
        new = next(item for item in classes if item.value == old.value)
        levels = []
        for one in self._store.document.levels:
            if one.name == changing.name:
                one = one.model_copy(update={"classes": classes})
            elif one.parent == (changing.name, old.name):
                one = one.model_copy(update={"parent": (changing.name, new.name)})
            levels.append(one)
        self._store.change(levels=tuple(levels))
        return new

    def remove_class(self, level: str, given: int | str) -> None:
        """Take a class out of a level. Raises LabelError while anything is labelled with it."""
        losing = self[level]
        item = losing.class_of(given)
        child = next((one.name for one in self._store.document.levels if one.parent == (losing.name, item.name)), None)
        if child is not None:
            raise LabelError(f"class {item.name!r} is the parent of level {child!r}; remove that first")
        for image in self._images.names:
            if self._store.labels(losing.name, image).counts().get(item.value):
                raise LabelError(
                    f"class {item.name!r} still has labels on image {image!r}; erase or repaint them first"
                )
        self._replace(level, classes=tuple(one for one in losing.classes if one.value != item.value))

    def _replace(self, given: str, **changes: Any) -> Level:
        self._store.check_writable()
        old = self[given]
        new = old.model_copy(update=changes)
        self._store.change(
            levels=tuple(new if level.name == old.name else level for level in self._store.document.levels)
        )
        return new

    def _parent(self, given: tuple[str, str | None] | str | None) -> tuple[str, str | None] | None:
        if given is None:
            return None
        pair = (given, None) if isinstance(given, str) else given
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise LabelError(f"parent={given!r} is neither a level nor (level, class)")
        name, label = pair
        level = self[name]
        if level.kind == "instances":
            if label is not None:
                raise LabelError(f"level {name!r} holds instances; parent={name!r} confines to all of them")
            return level.name, None
        if label is None:
            listed = ", ".join(repr(item.name) for item in level.classes)
            raise LabelError(f"parent {name!r} needs a class: parent=({name!r}, class), one of {listed}")
        return level.name, level.class_of(label).name
