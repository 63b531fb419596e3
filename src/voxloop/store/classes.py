"""Label classes and levels as values: names, colours, parents. Pure: knows no arrays and no files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from voxloop.errors import LabelError, unknown
from voxloop.model import ClassInfo
from voxloop.store.skeleton import Skeleton, as_skeleton
from voxloop.store.spelling import plain_name as plain_name

LevelKind = Literal["semantic", "instances", "points", "boxes", "pictures"]
#: levels of voxels, and those of instances that are no voxels
RASTER: tuple[LevelKind, ...] = ("semantic", "instances")
MARKS: tuple[LevelKind, ...] = ("points", "boxes", "pictures")

#: a skeleton that stands as nodes, edges and symmetric pairs in the file
StoredSkeleton = Annotated[Skeleton, BeforeValidator(as_skeleton), PlainSerializer(asdict)]

#: Okabe and Ito's colours, told apart with any colour vision; black left out; gray would not show on a gray picture
PALETTE = ("#e69f00", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442", "#56b4e9")
BACKGROUND_COLOR = "#56b4e9"
BACKGROUND_NAMES = frozenset({"background", "other", "rest", "nothing"})
#: semantic label arrays are uint8
MAX_CLASSES = 255


class LabelClass(BaseModel):
    """One class of a level.

    ``value`` is what voxels of the class hold in the label array, from 1 (0 stands for *the next free one* until the
    class is in a level). ``shortcut`` is a key; ``locked`` voxels are not painted over; ``background`` classes are
    learnt like any other but do not count in foreground scores.

    Examples
    --------
    >>> membrane = vl.LabelClass(value=1, name="membrane", color="#009e73")
    >>> level = ws.levels.add("membranes", classes=[membrane, "rest"])
    >>> [(one.value, one.name) for one in level.classes]
    [(1, 'membrane'), (2, 'rest')]
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    value: int = Field(default=0, ge=0, le=MAX_CLASSES)
    name: str = Field(min_length=1)
    color: str = ""
    shortcut: str = ""
    visible: bool = True
    locked: bool = False
    background: bool = False

    @field_validator("name", mode="before")
    @classmethod
    def _one_spelling(cls, name: object) -> object:
        return plain_name(name) if isinstance(name, str) else name

    @field_validator("color")
    @classmethod
    def _hex(cls, color: str) -> str:
        if color and not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
            raise ValueError(f"color {color!r} is not of the form '#rrggbb'")
        return color.lower()


class Level(BaseModel):
    """One label level: what can be painted, and inside what.

    ``parent`` is ``(level, class name)``: painting is confined to voxels of that class; the class is None below a level
    of instances (anywhere inside any of them). ``folder`` is the name on disk, which a renaming leaves as it was.

    A level of ``points`` has a ``skeleton``. ``node_keys`` numbers every node that it ever had: the journal names nodes
    by number, so that a renamed node keeps its points, and one that was removed has them again when it is back.
    Of a level of pictures ``retired`` are the values of classes that were removed, which no other class gets, and
    ``made`` is when it was added: classes of single objects are kept by value.

    Examples
    --------
    >>> level = ws.levels["labels"]
    >>> level.kind, [one.name for one in level.classes]
    ('semantic', ['cell', 'background'])
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    kind: LevelKind = "semantic"
    classes: tuple[LabelClass, ...] = ()
    parent: tuple[str, str | None] | None = None
    folder: str = ""
    skeleton: StoredSkeleton | None = None
    node_keys: dict[str, int] = Field(default_factory=dict)
    retired: tuple[int, ...] = ()
    made: str = ""

    @model_validator(mode="after")
    def _nodes_have_keys(self) -> Level:
        """Every node has a number of its own."""
        for node in () if self.skeleton is None else self.skeleton.nodes:
            if node not in self.node_keys:
                raise ValueError(f"node {node!r} has no number")
        if len(set(self.node_keys.values())) < len(self.node_keys) or min(self.node_keys.values(), default=0) < 0:
            raise ValueError("two nodes have one number")
        return self

    @property
    def raster(self) -> bool:
        """Voxels are labelled: not points, boxes or pictures."""
        return self.kind in RASTER

    def value_of(self, given: int | str) -> int:
        """The value of a class given by name or value. Raises LabelError."""
        allowed: dict[str | int, int] = {item.value: item.value for item in self.classes}
        if isinstance(given, str):
            allowed = {item.name: item.value for item in self.classes}
        wanted = plain_name(given) if isinstance(given, str) else given
        if not isinstance(wanted, str | int) or wanted not in allowed:
            raise LabelError(unknown("class", given, list(allowed)))
        return allowed[wanted]

    def class_of(self, given: int | str) -> LabelClass:
        """The class given by name or value. Raises LabelError."""
        value = self.value_of(given)
        return next(item for item in self.classes if item.value == value)

    @property
    def locked(self) -> tuple[int, ...]:
        """Values that nothing paints over."""
        return tuple(item.value for item in self.classes if item.locked)


def as_classes(
    given: Iterable[str | Mapping[str, Any] | LabelClass] | None, retired: Collection[int] = ()
) -> tuple[LabelClass, ...]:
    """Complete classes from names, dicts or classes: values from 1, colours, shortcuts, background by name.

    Those that come without a value get none of ``retired``.

    Raises
    ------
    LabelError
        A name or value given twice, an unknown key, more than 255 classes, or something that is no class.
    """
    if isinstance(given, str):
        raise LabelError(f"classes is a list of names, not one text; use classes=[{given!r}, 'background']")
    if given is None:
        return ()
    if isinstance(given, Mapping) or not isinstance(given, Iterable) or getattr(given, "ndim", 1) != 1:
        raise LabelError(f"classes is a list of names, not {str(given)[:40]!r}; use classes=['object', 'background']")
    classes: list[LabelClass] = []
    for item in given:
        classes.append(complete(_as_class(item), classes, retired))
    check_classes(classes)
    return tuple(classes)


def check_classes(classes: Iterable[LabelClass]) -> None:
    """Raise LabelError where classes as they are stored have no value, or share a name or a value."""
    classes = list(classes)
    for what in ("name", "value"):
        seen = [getattr(item, what) for item in classes]
        double = next((one for one in seen if seen.count(one) > 1), None)
        if double is not None:
            raise LabelError(f"two classes have the {what} {double!r}; each needs its own")
    unset = next((item.name for item in classes if not item.value), None)
    if unset is not None:
        raise LabelError(f"class {unset!r} has the value 0, which means unlabelled")


def check_parents(levels: Iterable[Level]) -> None:
    """Raise LabelError where the parent of a level is not there, lacks the class, or is below the level itself."""
    levels = list(levels)
    by_name = {level.folder: level for level in levels} | {level.name: level for level in levels}
    for level in levels:
        above, seen = level, [level.name]
        while above.parent is not None:
            name, label = above.parent
            parent = by_name.get(name)
            if parent is None:
                raise LabelError(f"the parent {name!r} of level {above.name!r} is not there")
            if label is not None and label not in [item.name for item in parent.classes]:
                raise LabelError(f"the parent {name!r} of level {above.name!r} has no class {label!r}")
            if parent.name in seen:
                raise LabelError(f"level {level.name!r} is below itself: {' in '.join([*seen, parent.name])}")
            seen.append(parent.name)
            above = parent


def complete(item: LabelClass, others: Iterable[LabelClass], retired: Collection[int] = ()) -> LabelClass:
    """``item`` with value, colour and shortcut that none of ``others`` has, where it came without.

    Nor a value of ``retired``.
    """
    others = list(others)
    changes: dict[str, Any] = {}
    taken = {other.value for other in others} | set(retired)
    value = item.value or next((n for n in range(1, MAX_CLASSES + 1) if n not in taken), None)
    if value is None:
        raise LabelError(f"a level holds at most {MAX_CLASSES} classes; put further ones into a child level")
    changes["value"] = value
    if not item.color:
        used = {other.color for other in others}
        free = [color for color in PALETTE if color not in used]
        if item.background:
            changes["color"] = BACKGROUND_COLOR
        else:
            changes["color"] = free[0] if free else PALETTE[value % len(PALETTE)]
    if not item.shortcut and value <= 9 and str(value) not in {other.shortcut for other in others}:
        changes["shortcut"] = str(value)
    return item.model_copy(update=changes)


def _as_class(item: object) -> LabelClass:
    if isinstance(item, LabelClass):
        item = item.model_dump(exclude_unset=True)
    if isinstance(item, ClassInfo):  # a class of a model or a sample
        item = asdict(item)
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, Mapping):
        raise LabelError(f"a class is a name, a dict or a LabelClass, not {type(item).__name__}")
    for key in item:
        if key not in LabelClass.model_fields:
            raise LabelError(unknown("key of a class", key, LabelClass.model_fields))
    by_name = str(item.get("name", "")).strip().lower() in BACKGROUND_NAMES
    try:
        return LabelClass(**{"background": by_name, **item})
    except ValidationError as error:
        first = error.errors()[0]
        raise LabelError(f"class {dict(item)!r}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
