"""The label levels of a workspace: add, rename, remove, and change their classes. Knows no label arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError, unknown
from voxloop.geometry import Box
from voxloop.given import flag
from voxloop.store import family
from voxloop.store.classes import MARKS, RASTER, LabelClass, Level, LevelKind, as_classes, check_parents
from voxloop.store.document import SCHEMA, check_name
from voxloop.store.images import Images
from voxloop.store.named import Keeper, Named
from voxloop.store.signing import now
from voxloop.store.skeleton import SINGLE, Skeleton, as_skeleton

if TYPE_CHECKING:
    from voxloop.store.edit import Edit
    from voxloop.store.labels import Labels


def title(parent: tuple[str, str | None] | None) -> str:
    """A parent in words: ``'mito' of 'labels'``, ``'cells'``, ``nothing``."""
    if parent is None:
        return "nothing"
    level, label = parent
    return repr(level) if label is None else f"{label!r} of {level!r}"


class Levels(Named[Level]):
    """Mapping of :class:`Level` by name, in the order they were added.

    Examples
    --------
    >>> level = ws.levels.add("organelles", ["mitochondrion", "vesicle"], parent=("labels", "cell"))
    >>> ws.levels.names, level.parent
    (['labels', 'spots', 'boxes', 'kinds', 'organelles'], ('labels', 'cell'))
    """

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
        skeleton: Skeleton | Sequence[str] | None = None,
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
            Of voxels, reached by ``ws.labels``: ``"semantic"`` (uint8 classes) or ``"instances"`` (uint32 numbers). Of
            places: ``"points"`` (``ws.points``), ``"boxes"`` (``ws.boxes``), ``"pictures"`` (``ws.pictures``, a class
            for each frame).
        skeleton
            Of a level of points: the nodes of one body; left out, plain points.

        Raises
        ------
        LabelError
            The name or a class is taken, the parent does not exist, the kind is none of these, a skeleton for another
            kind than points.

        Examples
        --------
        >>> level = ws.levels.add("organelles", ["mitochondrion", {"name": "vesicle", "color": "#0072b2"}])
        >>> [(one.value, one.name, one.color) for one in level.classes]
        [(1, 'mitochondrion', '#e69f00'), (2, 'vesicle', '#0072b2')]
        >>> ws.levels.add("worms", kind="points", skeleton=["head", "tail"]).kind
        'points'
        """
        self._store.check_writable()
        name = check_name("level", name)
        if name in self.names or any(level.folder == name for level in self._store.document.levels):
            raise LabelError(f"there is a level {name!r} already, or was under that name; choose another name")
        if not isinstance(kind, str) or kind not in (*RASTER, *MARKS):
            raise LabelError(f"kind {kind!r} is none of {', '.join(map(repr, (*RASTER, *MARKS)))}")
        body = self._body(kind, skeleton)
        if kind in MARKS and parent is not None:
            raise LabelError(f"a level of {kind} has no parent; only what is painted is confined to one")
        keys = {node: key for key, node in enumerate(body.nodes)} if body is not None else {}
        level = Level(
            name=name,
            kind=kind,
            classes=as_classes(classes),
            parent=self._parent(parent),
            folder=name,
            skeleton=body,
            node_keys=keys,
            made=now() if kind == "pictures" else "",
        )
        version = SCHEMA if kind in MARKS else self._store.document.schema_version
        self._store.change(levels=(*self._store.document.levels, level), schema_version=version)
        return level

    @property
    def painted(self) -> list[str]:
        """Names of the levels of voxels, in order."""
        return self.of_kind(*RASTER)

    def of_kind(self, *kinds: LevelKind) -> list[str]:
        """Names of the levels of these kinds, in order."""
        return [level.name for level in self._store.document.levels if level.kind in kinds]

    def _body(self, kind: str, skeleton: Any) -> Skeleton | None:
        if kind == "points":
            return Skeleton([SINGLE]) if skeleton is None else as_skeleton(skeleton)
        if skeleton is not None:
            raise LabelError(f"a level of {kind} has no skeleton; kind='points' has one")
        return None

    # -------------------------------------------------------------------------------------------------------- nodes

    def add_node(self, level: str, node: str, joined_to: str | None = None) -> Skeleton:
        """Add a node to the skeleton of a level; one that was removed is back with all its points."""
        changing = self._with_skeleton(level)
        return self._reshape(changing, changing.skeleton.with_node(node, joined_to))  # type: ignore[union-attr]

    def rename_node(self, level: str, node: str, new: str) -> Skeleton:
        """Give a node another name; its points stay. Raises LabelError where the name is taken."""
        changing = self._with_skeleton(level)
        assert changing.skeleton is not None
        old = changing.skeleton.node(node)
        body = changing.skeleton.renamed(old, new)
        name = body.nodes[changing.skeleton.nodes.index(old)]
        kept = {one: key for one, key in changing.node_keys.items() if one == old or one != name}
        keys = {name if one == old else one: key for one, key in kept.items()}
        return self._reshape(changing, body, keys)

    def remove_node(self, level: str, node: str) -> Skeleton:
        """Take a node out of the skeleton of a level. Its points stay in the journal: ``add_node`` brings them back."""
        changing = self._with_skeleton(level)
        return self._reshape(changing, changing.skeleton.without_node(node))  # type: ignore[union-attr]

    def set_skeleton(self, level: str, skeleton: Skeleton | Sequence[str]) -> Skeleton:
        """Another skeleton for a level: nodes of the same name keep their points, those left out keep them unseen."""
        return self._reshape(self._with_skeleton(level), as_skeleton(skeleton))

    def _with_skeleton(self, name: str) -> Level:
        self._store.check_writable()
        level = self[name]
        if level.skeleton is None:
            raise LabelError(f"level {name!r} holds {level.kind}, which have no skeleton")
        return level

    def _reshape(self, level: Level, body: Skeleton, keys: dict[str, int] | None = None) -> Skeleton:
        keys = dict(level.node_keys if keys is None else keys)
        for node in body.nodes:
            keys.setdefault(node, max(keys.values(), default=-1) + 1)
        self._replace(level.name, skeleton=body, node_keys=keys)
        return body

    def rename(self, name: str, new: str) -> Level:
        """Give a level another name; files stay where they are, and older runs still find it.

        Examples
        --------
        >>> level = ws.levels.rename("spots", "ends")
        >>> ws.levels.names
        ['labels', 'ends', 'boxes', 'kinds']
        """
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

    def reparent(
        self, name: str, parent: tuple[str, str | None] | str | None = None, crop: bool | None = None
    ) -> dict[str, Edit]:
        """Put a level inside of another one, or of none, now that it has labels.

        Parameters
        ----------
        parent
            ``(level, class)``, the name of a level of instances, or None: painting is confined no more.
        crop
            True: labels outside of the new parent are taken away, an edit on each image that undo brings back; classes
            that are locked stay. False: they stay.

        Returns
        -------
        dict
            By image the edit that cropped it, where there was something to crop.

        Raises
        ------
        LabelError
            The parent is not there or lies inside of this level; or labels would be outside of it, and ``crop`` does
            not say what becomes of them: the message says how many.
        """
        level, pair = self[name], self._parent(parent)
        if crop is not None:
            crop = flag("crop", crop, error=LabelError)
        after = [
            one.model_copy(update={"parent": pair}) if one.name == level.name else one
            for one in self._store.document.levels
        ]
        check_parents(after)
        lost = self.outside(level.name, parent) if pair is not None and crop is not False else {}
        if lost and crop is None:
            listed = ", ".join(f"{count:,} on {image!r}" for image, count in lost.items())
            raise LabelError(
                f"{sum(lost.values()):,} voxels of level {level.name!r} lie outside of {title(pair)} ({listed}): "
                "crop=True takes them away, crop=False leaves them"
            )
        self._store.check_writable()
        self._store.change(levels=tuple(after))
        return self.crop(level.name) if lost else {}

    def outside(self, name: str, parent: tuple[str, str | None] | str | None = None) -> dict[str, int]:
        """Labelled voxels of a level that lie outside of a parent (None: its own), by image; those without left out."""
        level = self[name]
        pair = level.parent if parent is None else self._parent(parent)
        found: dict[str, int] = {}
        for image in self._images.names if pair is not None else ():
            count = family.outside(self._store.labels(level.name, image), self._labels_of(pair, image))
            found |= {image: count} if count else {}
        return found

    def crop(self, name: str, image: str | None = None, region: object = None) -> dict[str, Edit]:
        """Take away what of a level lies outside of its parent; by image the edit, which undo brings back.

        Parameters
        ----------
        image
            None: all of them.
        region
            Slices (z, y, x) to stay in, or None for all; of one image.

        Raises
        ------
        LabelError
            The level has no parent.
        """
        level = self[name]
        if level.parent is None:
            raise LabelError(f"level {level.name!r} lies inside of no other, so there is nothing to crop it to")
        if region is not None and image is None and len(self._images.names) != 1:
            raise LabelError(f"a region is of one image; say which of {', '.join(map(repr, self._images.names))}")
        edits: dict[str, Edit] = {}
        for each in self._images.names if image is None else [self._images.one(image)]:
            labels, parent = self._store.labels(level.name, each), self._labels_of(level.parent, each)
            box = None if region is None else Box.of(region, labels.shape)
            edit = family.crop(labels, parent, box, along=parent[0])
            edits |= {each: edit} if edit.voxels else {}
        return edits

    def _labels_of(self, pair: tuple[str, str | None] | None, image: str) -> tuple[Labels, int]:
        """The labels of a parent and the value that its class has; 0 for any."""
        assert pair is not None
        above = self._store.labels(pair[0], image)
        return above, 0 if pair[1] is None else above.level.value_of(pair[1])

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
        """Add one class to a level.

        Examples
        --------
        >>> ws.levels.add_class("labels", "nucleus").value
        3
        >>> [one.name for one in ws.levels["labels"].classes]
        ['cell', 'background', 'nucleus']
        """
        old = self[level]
        classes = as_classes([*old.classes, new], old.retired)
        self._replace(level, classes=classes)
        return classes[-1]

    def change_class(self, level: str, given: int | str, **changes: Any) -> LabelClass:
        """Change name, color, shortcut, visible, locked or background of a class; its value stays for good.

        Examples
        --------
        >>> changed = ws.levels.change_class("labels", "background", name="matrix", locked=True)
        >>> changed.value, changed.name, changed.locked
        (2, 'matrix', True)
        """
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
            if self._store.holds(losing, image, item):
                raise LabelError(
                    f"class {item.name!r} still has labels on image {image!r}; erase or repaint them first"
                )
        left = tuple(one for one in losing.classes if one.value != item.value)
        gone = (item.value,) if losing.kind == "pictures" else ()
        self._replace(level, classes=left, retired=(*losing.retired, *gone))

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
        if not level.raster:
            raise LabelError(f"level {name!r} holds {level.kind}; only a level that is painted can be a parent")
        if level.kind == "instances":
            if label is not None:
                raise LabelError(f"level {name!r} holds instances; parent={name!r} confines to all of them")
            return level.name, None
        if label is None:
            listed = ", ".join(repr(item.name) for item in level.classes)
            raise LabelError(f"parent {name!r} needs a class: parent=({name!r}, class), one of {listed}")
        return level.name, level.class_of(label).name
