"""What a training learns from: labels of which images, where, as they were at which edit. Frozen as JSON, and opened.

Both learners, and everything that looks at a training before it begins, come here; so a set, a region or a constraint
means the same to all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import ConfigError, LabelError, WorkspaceError, unknown
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.store.confined import Area, Confined
from voxloop.store.document import NamedRegion, SetRow, TrainingSet

if TYPE_CHECKING:
    from voxloop.store.labels import Labels
    from voxloop.store.workspace import Store

#: in-plane voxels between labels that teach and those of a validation set
GAP = 8
#: word for the class that a level lies in
PARENT = "parent"

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Labels of one image that teach, or that ``judges`` (a validation set). ``name`` tells it from all others."""

    name: str
    image: str
    labels: Confined
    judges: bool = False


def freeze(store: Store, config: Any) -> dict[str, Any]:
    """What a run with this config learns from, as the labels are now.

    Parameters
    ----------
    config
        Anything with ``level``, ``images``, ``training_set``, ``validation_set`` and ``constrain``, or some of these.

    Returns
    -------
    dict
        ``level``; ``labels`` (``"level/image"`` to the number of the last edit); where they apply ``rows`` (what
        teaches), ``set`` (name, version), ``validation_set`` (name, version, rows), ``constrain`` (level, class,
        value, labels) and ``within`` (by image the region that is active: what teaches lies inside of it). JSON.

    Raises
    ------
    LabelError
        Nothing is labelled there, or only one class.
    WorkspaceError, ConfigError
        A set, an image or a class is not known.
    """
    chosen = _set(store, config, "training_set")
    judge = _set(store, config, "validation_set")
    rows = chosen.rows if chosen else _all_rows(store, config)
    level = _level_of(store, config, chosen, rows)
    facts: dict[str, Any] = {"level": level, "labels": {}}
    if chosen or judge:
        facts["rows"] = [row.model_dump(mode="json") for row in rows]
    if chosen:
        facts["set"] = {"name": chosen.name, "version": chosen.version}
    if judge:
        facts["validation_set"] = judge.model_dump(mode="json", include={"name", "version", "rows"})
    for row in (*rows, *(judge.rows if judge else ())):
        if row.image not in store.images:
            named = f" of {chosen.title}" if chosen else ""
            raise WorkspaceError(f"{unknown('image', row.image, store.images.names)}; edit the rows{named}")
        facts["labels"][f"{row.level}/{row.image}"] = store.labels(row.level, row.image).sequence
    if getattr(config, "constrain", None):
        images = list(dict.fromkeys(key.partition("/")[2] for key in facts["labels"]))
        facts["constrain"] = constraint(store, config.constrain, level, images)
    active = {row.image: store.regions.active_on(row.image) for row in rows}
    within = {image: one.model_dump(mode="json") for image, one in active.items() if one is not None}
    if within:
        facts["within"] = within
    _check(store, facts, chosen, judge)
    return facts


def constraint(store: Store, text: str, level: str, images: Iterable[str]) -> dict[str, Any]:
    """``"level/class"`` or ``"parent"`` as JSON, with the state of its labels. Raises ConfigError, LabelError."""
    own = store.levels[level]
    if text.strip().lower() == PARENT:
        if own.parent is None:
            raise ConfigError(f"constrain='parent': level {level!r} lies in no other; name one like 'cells/nucleus'")
        name, which = own.parent
    else:
        name, slash, rest = text.partition("/")
        name, which = name.strip(), rest.strip() or None
        if name not in store.levels.painted:
            raise ConfigError(f"constrain={text!r}: {unknown('level', name, store.levels.painted)}")
        if (slash and which is None) or (which is None and store.levels[name].kind == "semantic"):
            options = ", ".join(f"{name}/{c.name}" for c in store.levels[name].classes)
            raise ConfigError(f"constrain={text!r} names no class; use {options}")
    above = store.levels[name]
    value = None if which is None else above.value_of(which)
    if above.name == own.name:
        raise ConfigError(f"constrain={text!r}: level {level!r} cannot be confined to a class of its own")
    labels = {image: store.labels(above.name, image).sequence for image in images}
    return {"level": above.name, "class": which, "value": value, "labels": labels}


def open_portions(workspace: Path, facts: Facts) -> tuple[list[Portion], tuple[ClassInfo, ...]]:
    """The labels that ``facts`` of :func:`freeze` mean, as they were then, and the classes of their level.

    Portions that teach come first. Raises LabelError where nothing is left to learn from.
    """
    from voxloop.store.workspace import Store

    with Store.open(workspace, read_only=True) as store:
        shapes = {info.name: info for info in store.document.images}
        first = next(iter(facts["labels"]), None)
        if first is None:
            raise LabelError("nothing is labelled; paint a few strokes of at least two classes")
        found = store.levels[facts.get("level") or first.partition("/")[0]]
        classes = tuple(
            ClassInfo(value=c.value, name=c.name, color=c.color, background=c.background) for c in found.classes
        )
    whole = [dict(zip(("level", "image"), key.split("/", 1), strict=True)) for key in facts["labels"]]
    wanted = _boxes(facts.get("rows") or whole)
    judge = _boxes(facts["validation_set"]["rows"]) if "validation_set" in facts else {}
    several = len({level for level, _ in (*wanted, *judge)}) > 1
    portions = []
    for (level, image), boxes in wanted.items():
        info = shapes.get(image)
        if info is None:
            raise LabelError(f"image {image!r} is no longer in the workspace; add it again, or train on another set")
        without = [box for (_, other), held in judge.items() if other == image for box in held or (None,)]
        grown = tuple(_grown(box, info.shape, info.spacing_um, info.z_kind == "frame") for box in without)
        within = facts.get("within", {}).get(image)
        area = Area(
            boxes=boxes,
            without=grown,
            inside=_inside(workspace, facts, image),
            within=None if within is None else NamedRegion(**within),
        )
        name = f"{image} ({level})" if several else image
        portions.append(Portion(name=name, image=image, labels=_labels(workspace, facts, level, image, area)))
    for (level, image), boxes in judge.items():
        area = Area(boxes=boxes, inside=_inside(workspace, facts, image))
        name = f"{image} ({level}, validation)" if several else f"{image} (validation)"
        portions.append(
            Portion(name=name, image=image, labels=_labels(workspace, facts, level, image, area), judges=True)
        )
    return [p for p in portions if p.labels.counts()], classes


def area_inside(workspace: Path, constrain: Facts | None, image: str, within: Facts | None = None) -> Area:
    """Where a prediction of an image may say anything: inside the class that ``constrain`` names, and the region."""
    region = None if within is None else NamedRegion(**within)
    return Area(inside=_inside(workspace, {"constrain": constrain}, image), within=region)


# ------------------------------------------------------------------------------------------------------------- helpers


def _set(store: Store, config: Any, field: str) -> TrainingSet | None:
    name = getattr(config, field, None)
    return store.sets[name] if name else None


def _all_rows(store: Store, config: Any) -> tuple[SetRow, ...]:
    level = getattr(config, "level", None)
    if level is None:
        if len(store.levels.painted) != 1:
            raise LabelError(f"say which level: there are {', '.join(map(repr, store.levels.painted)) or 'none'}")
        level = store.levels.painted[0]
    if level not in store.levels.painted:
        raise LabelError(unknown("level", level, store.levels.painted))
    images = getattr(config, "images", None) or store.images.names
    for image in images:
        if image not in store.images.names:
            raise WorkspaceError(unknown("image", image, store.images.names))
    labelled = [image for image in images if any(v and n for v, n in store.labels(level, image).counts().items())]
    if not labelled:
        raise LabelError(f"nothing is labelled in level {level!r} yet; paint a few strokes of at least two classes")
    return tuple(SetRow(image=image, level=level) for image in labelled)


def _level_of(store: Store, config: Any, chosen: TrainingSet | None, rows: Sequence[SetRow]) -> str:
    levels = list(dict.fromkeys(store.levels[row.level].name for row in rows))
    given = getattr(config, "level", None)
    if chosen is not None and given is not None and given not in levels:
        raise ConfigError(f"level={given!r} is not in training set {chosen.title}, which holds {', '.join(levels)}")
    return levels[0]


def _check(store: Store, facts: Facts, chosen: TrainingSet | None, judge: TrainingSet | None) -> None:
    """At least two classes teach, and something judges where a set is named for it."""
    if any(key in facts for key in ("rows", "constrain", "within")):
        portions, _ = open_portions(store.path, facts)
        counts = [portion.labels.counts() for portion in portions if not portion.judges]
    else:
        portions = []
        counts = [store.labels(*key.split("/", 1)).counts() for key in facts["labels"]]
    seen = {value for found in counts for value, count in found.items() if value and count}
    where = f"in training set {chosen.title}" if chosen else f"in level {facts['level']!r}"
    if "constrain" in facts:
        inside = facts["constrain"]
        where += f" inside {inside['class'] or 'the objects'} of level {inside['level']!r}"
    if "within" in facts:
        where += (
            f" inside of region {', '.join(repr(one['name']) for one in facts['within'].values())}, which is active"
        )
    if judge is not None:
        where += f", apart from what validation set {judge.title} holds"
        if not any(portion.judges for portion in portions):
            raise LabelError(f"nothing is labelled in validation set {judge.title}; label there, or choose another")
    if not seen:
        raise LabelError(f"nothing is labelled {where}; paint a few strokes of at least two classes there")
    if len(seen) < 2 and store.levels[facts["level"]].kind == "semantic":
        only = next((info.name for info in store.levels[facts["level"]].classes if info.value in seen), "one class")
        raise LabelError(f"only {only!r} is labelled {where}; paint a few strokes of a second class as well")


def _boxes(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[Box, ...] | None]:
    """``(level, image)`` to its boxes; None where one of its rows is the whole image."""
    out: dict[tuple[str, str], tuple[Box, ...] | None] = {}
    for item in rows:
        row = SetRow(**item)
        key = (row.level, row.image)
        earlier = out.get(key, ())
        out[key] = None if row.box is None or earlier is None else (*earlier, row.box)
    return out


def _grown(box: Box | None, shape: tuple[int, int, int], spacing: Sequence[float], frames: bool) -> Box:
    if box is None:
        return Box.whole(shape)
    depth = 0 if frames else round(GAP * spacing[1] / spacing[0])
    return box.grow((depth, GAP, GAP)).clip(shape)


def _inside(workspace: Path, facts: Facts, image: str) -> tuple[Labels, int | None] | None:
    from voxloop.store.workspace import open_labels

    found = facts.get("constrain")
    if not found:
        return None
    return open_labels(workspace, found["level"], image, at=found["labels"].get(image)), found["value"]


def _labels(workspace: Path, facts: Facts, level: str, image: str, area: Area) -> Confined:
    from voxloop.store.workspace import open_labels

    return Confined(open_labels(workspace, level, image, at=facts["labels"].get(f"{level}/{image}")), area)
