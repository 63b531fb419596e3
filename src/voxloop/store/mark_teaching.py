"""What a training on points, boxes or classes of pictures learns from, frozen as JSON. Opens no picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError, WorkspaceError, unknown
from voxloop.store.classes import Level, LevelKind

if TYPE_CHECKING:
    from voxloop.store.workspace import Store


def freeze_marks(store: Store, config: Any, *kinds: LevelKind) -> dict[str, Any]:
    """What a run with this config learns from, as the labels are now.

    Parameters
    ----------
    config
        Anything with ``level`` and ``images``.
    kinds
        Of levels that it can learn.

    Returns
    -------
    dict
        ``level`` and ``labels`` (``"level/image"`` to the number of the last edit). JSON.

    Raises
    ------
    LabelError
        There is no such level, several, or nothing is labelled.
    WorkspaceError
        An image is not known.
    """
    level = _level(store, config.level, *kinds)
    images = config.images or store.images.names
    for image in images:
        if image not in store.images.names:
            raise WorkspaceError(unknown("image", image, store.images.names))
    labels = {}
    for image in images:
        marks: Any = store.marks(None, level.name, image)
        if marks.labelled or (not marks.framed and marks.count()):
            labels[f"{level.name}/{image}"] = marks.sequence
    if not labels:
        raise LabelError(f"nothing is labelled in level {level.name!r} yet; {_ADD[level.kind]}")
    return {"level": level.name, "labels": labels}


_ADD = {
    "points": "place a few points first (ws.points(...).add, or the points panel)",
    "boxes": "draw a few boxes first (ws.boxes(...).add, or the points panel)",
    "pictures": "give a few pictures their class first (ws.pictures(...).assign)",
}


def _level(store: Store, name: str | None, *kinds: LevelKind) -> Level:
    words = " or ".join(kinds)
    if name is not None:
        level = store.levels[name]
        if level.kind not in kinds:
            raise LabelError(f"level {name!r} holds {level.kind}; this is learned from {words}")
        return level
    fitting = [store.levels[name] for name in store.levels.of_kind(*kinds)]
    if not fitting:
        raise LabelError(f"there is no level of {words}; ws.levels.add(name, kind={kinds[0]!r}) makes one")
    if len(fitting) > 1:
        raise LabelError(f"say which level: {', '.join(repr(level.name) for level in fitting)}")
    return fitting[0]
