"""Which images, levels and classes of another workspace are those of this one. Opens no labels, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError, WorkspaceError, nearest, unknown
from voxloop.given import shown
from voxloop.store import Level
from voxloop.store.merging.said import SaidMerge

if TYPE_CHECKING:
    from voxloop.store import ImageInfo, Store

#: what may stand for no class
NOTHING = (None, "unlabelled")


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A level on an image here, and its name and that of the image in the copy."""

    level: Level
    image: str
    their_level: Level
    their_image: str


@dataclass(slots=True)
class Counterparts:
    """All that two workspaces have in common, and sentences on what they have not."""

    pairs: list[Counterpart] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)  # of the copy, and what they are called here
    remarks: list[str] = field(default_factory=list)


def counterparts(here: Store, there: Store, level: str | None, image: str | None) -> Counterparts:
    """What belongs together, images by name and what they show, levels by name and kind.

    Raises WorkspaceError where no image is in both, LabelError where a level that is asked for is not.
    """
    found = Counterparts()
    images = _images(here, there, found.remarks)
    found.images = {theirs: ours for ours, theirs in images.items()}
    if image is not None and image not in here.images:
        raise WorkspaceError(unknown("image", image if isinstance(image, str) else shown(image), here.images.names))
    if not images:
        raise WorkspaceError(
            f"{there.path.name!r} is no copy of {here.path.name!r}: they have no image in common"
            + (f" ({'; '.join(found.remarks)})" if found.remarks else "")
        )
    if image is not None and image not in images:
        raise WorkspaceError(f"image {image!r} is not in {there.path.name!r}; there are {', '.join(map(repr, images))}")
    if level is not None:
        here.levels[level]  # there is one
    for theirs in there.document.levels:
        own = next((one for one in here.document.levels if one.name == theirs.name), None)
        if level is not None and theirs.name != level:
            continue
        if own is None:
            found.remarks.append(
                f"level {theirs.name!r} is only in {there.path.name!r}; "
                f"ws.levels.add({theirs.name!r}, kind={theirs.kind!r}, ...) makes a place for it"
            )
        elif own.kind != theirs.kind:
            found.remarks.append(f"level {own.name!r} holds {own.kind} here and {theirs.kind} there; it was left out")
        else:
            chosen = images if image is None else {image: images[image]}
            found.pairs += [Counterpart(own, name, theirs, other) for name, other in chosen.items()]
    if level is not None and not found.pairs:
        raise LabelError(found.remarks[-1] if found.remarks else f"level {level!r} is not in {there.path.name!r}")
    return found


def _images(here: Store, there: Store, remarks: list[str]) -> dict[str, str]:
    """Names of images here and of the same ones there."""
    pairs: dict[str, str] = {}
    others = {info.name: info for info in there.document.images}
    for info in here.document.images:
        same = others.get(info.name)
        if same is not None and not _alike(info, same):
            remarks.append(f"image {info.name!r} is another picture there: {_look(same)}, here {_look(info)}")
            same = None
        if same is None and info.fingerprint:  # renamed on one side
            same = next(
                (o for o in others.values() if o.fingerprint == info.fingerprint and o.shape == info.shape), None
            )
        if same is None:
            remarks.append(f"image {info.name!r} is only here")
        elif same.name not in pairs.values():
            pairs[info.name] = same.name
    remarks += [f"image {name!r} is only in {there.path.name!r}" for name in others if name not in pairs.values()]
    return pairs


def _alike(one: ImageInfo, other: ImageInfo) -> bool:
    known = bool(one.fingerprint and other.fingerprint)
    return one.shape == other.shape and (not known or one.fingerprint == other.fingerprint)


def _look(info: ImageInfo) -> str:
    return info.fingerprint or " x ".join(map(str, info.shape))


def said_of_items(project: Any, copy: Store, images: Mapping[str, str]) -> list[SaidMerge]:
    """What is said of images, frames and tiles there, beside what is here; ``images`` of theirs and mine."""

    def rename(item: str) -> str:
        image, slash, rest = item.partition("/")
        return f"{images[image]}{slash}{rest}" if image in images else ""

    values: dict[str, dict[int, int]] = {}
    for level in project.store.document.levels:
        own = {one.name: one.value for one in level.classes}
        theirs = next((one for one in copy.document.levels if (one.name, one.kind) == (level.name, level.kind)), None)
        if level.kind == "pictures" and theirs is not None and theirs.folder == level.folder:
            values[level.folder or level.name] = {0: 0} | {
                one.value: own[one.name] for one in theirs.classes if one.name in own
            }
    names = ("images", "frames", *project.tiles.names)
    there = [name for name in names if copy.layout.catalogue(name).is_file()]
    return [SaidMerge(project.catalogue(name), copy.layout.catalogue(name), rename, values) for name in there]


def check_classes(given: Any) -> dict[str, str | None]:
    """Classes of the copy and what they are here, as a caller gives them. Raises LabelError."""
    if given is None:
        return {}
    fits = isinstance(given, Mapping) and all(
        isinstance(theirs, str) and (ours is None or isinstance(ours, str)) for theirs, ours in given.items()
    )
    if not fits:
        raise LabelError(f"classes={shown(given)} is no dict of names; such as {{'mito': 'mitochondria'}}")
    return {theirs: None if ours in NOTHING else ours for theirs, ours in given.items()}


def class_values(
    here: Level, there: Level, used: Mapping[int, int], classes: Mapping[str, str | None]
) -> dict[int, int]:
    """Values of the copy's classes and those that they are here; by name, or as ``classes`` says.

    ``used`` is how often each value occurs there. Raises LabelError where a class that occurs has no name here.
    """
    ours = {one.name: one.value for one in here.classes}
    for name in classes.values():
        if name is not None and name not in ours:
            raise LabelError(unknown(f"class of level {here.name!r}", name, ours))
    values: dict[int, int] = {}
    missing = []
    for one in there.classes:
        name = classes.get(one.name, one.name)
        if name is None:
            values[one.value] = 0
        elif name in ours:
            values[one.value] = ours[name]
        elif used.get(one.value):
            missing.append(one.name)
    if missing:
        listed = ", ".join(repr(name) for name in missing)
        close = nearest(missing[0], ours) or next(iter(ours), "...")
        raise LabelError(
            f"level {there.name!r} of the copy has {listed}, which is no class here; say what it is, "
            f"classes={{{missing[0]!r}: {close!r}}} (None leaves it out), or add it with "
            f"ws.levels.add_class({here.name!r}, {missing[0]!r})"
        )
    return values
