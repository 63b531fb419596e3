"""The task of a run that finds animals, points or boxes: a model and pictures in, instances on disk out."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError, VoxloopError
from voxloop.geometry import Box
from voxloop.model import load_model
from voxloop.prediction.found import FOLDER, begin
from voxloop.prediction.found_batch import IMAGES, folder_of_image
from voxloop.prediction.found_pieces import piece_path, write_piece
from voxloop.runs.orders import LAST_WORD
from voxloop.store.atomic import json_bytes, replace_bytes
from voxloop.volumes import channels_of, open_volume, read_block
from voxloop.volumes.object_windows import ObjectWindows

if TYPE_CHECKING:
    from voxloop.runs.context import TaskContext

#: frames that are asked at once, and that a piece on disk holds
_AT_ONCE, _PIECE = 8, 64


def run(context: TaskContext) -> str:
    """Look at the frames (or the volume) that the run's config names.

    ``config``: ``model`` (folder), ``level``, ``image`` and ``frames`` (a list; None: the volume), or ``images`` and
    ``frames_of`` (name to frames). A run that is started again goes on where it was. Stop keeps what is done, cancel
    removes it. Of several images, one that cannot be looked at is a warning, and the next one is looked at.
    """
    from voxloop.store import Store

    config = PredictConfig.from_json(context.settings)
    model: Any = load_model(context.layout.named(context.config["model"]))
    folder = context.path / FOLDER
    facts = context.config
    with (
        Store.open(context.workspace, read_only=True) as store,
        model.opened(config.device, threads=config.threads) as finder,
    ):
        if "images" not in facts:
            return _one(context, folder, finder, model, store, facts["image"], facts["frames"])
        folder.mkdir(parents=True, exist_ok=True)
        replace_bytes(folder / IMAGES, json_bytes(list(facts["images"])))
        for number, image in enumerate(facts["images"]):
            frames = facts["frames_of"][image]
            try:
                word = _one(context, folder_of_image(folder, number), finder, model, store, image, frames)
            except VoxloopError as error:  # the next one may fare better
                context.emit("warning", text=f"{image}: {error}")
                continue
            if word != "finished":
                return word
            context.emit("log", text=f"{image} is done, {number + 1} of {len(facts['images'])} images")
        return "finished"


def _one(
    context: TaskContext, folder: Path, finder: Any, model: Any, store: Any, image: str, frames: list[int] | None
) -> str:
    """Look at one image; the run's last word. Raises PredictionError where the model is for others."""
    facts = context.config
    volume = store.images.open(image)
    of_objects = model.spec.extra.get("window")
    if bool(of_objects) != ("objects" in facts):
        raise PredictionError(
            "the model tells classes of objects; say which, objects=..."
            if of_objects
            else "the model tells classes of pictures, not of objects; leave objects= out"
        )
    channels = model.spec.channels - bool(of_objects)  # one says where the object is
    if channels_of(volume) != channels:
        raise PredictionError(
            f"the model was trained on {channels} channels, and image {image!r} has "
            f"{channels_of(volume)}; use an image with as many"
        )
    told: dict[str, Any] = {name: facts[name] for name in ("level", "node", "classes")}
    told |= {name: facts.get(name) for name in ("threshold", "tiles", "boxes", "objects", "places")}
    told |= {"image": image, "frames": frames}
    shape = [int(n) for n in volume.shape[-3:]]
    begin(folder, {**told, **_about(model), "shape": shape if frames is None else shape[1:]})
    return _look(context, folder, finder, volume, frames, of_objects)


def _about(model: Any) -> dict[str, Any]:
    """What a model answers with."""
    if model.spec.learner == "pictures":
        return {"kind": "pictures", "names": [item.name for item in model.spec.classes], "by_class": True}
    plan = model.plan
    return {
        "kind": plan.kind,
        "names": list(plan.names),
        "by_class": plan.pipeline == "detect",
        "counted": model.spec.extra.get("counted"),
    }


def _read_objects(context: TaskContext, volume: Any, side: int) -> Callable[[int], np.ndarray]:
    """What reads the window around an object (c, side, side) by its place in the list."""
    facts = context.config
    labels = open_volume(context.layout.named(facts["folder"]))
    windows = ObjectWindows(volume, labels, facts["first"], side)
    return lambda place: windows.read(facts["places"][place][0], facts["places"][place][1:])


def _look(
    context: TaskContext,
    folder: Path,
    finder: Any,
    volume: Any,
    frames: list[int] | None,
    of_objects: int | None = None,
) -> str:
    """Frame by frame, or at a volume; the run's last word."""
    read: Callable[..., np.ndarray] = partial(read_block, volume)
    if of_objects is not None:
        read = _read_objects(context, volume, of_objects)
    threshold = context.config.get("threshold")
    depth, height, width = (int(n) for n in volume.shape[-3:])
    if hasattr(finder, "classify"):
        pieces = FrameAnswers(finder.classify, _as_classes)
        frames = [depth // 2] if frames is None else frames
    elif frames is None:
        found = finder.volume(read, (depth, height, width), threshold)
        write_piece(folder, 0, _as_places([-1], [found], len(finder.names), 3))
        return "finished"
    else:
        pieces = FrameAnswers(
            partial(finder.frames, threshold=threshold), partial(_as_places, names=len(finder.names), axes=finder.axes)
        )
    return _each(context, folder, pieces, read, frames, (height, width), of_objects=bool(of_objects))


@dataclass(frozen=True, slots=True)
class FrameAnswers:
    """How frames (n, c, y, x) are answered, and how frame numbers and answers become columns on disk."""

    answer: Callable[[np.ndarray], Any]
    columns: Callable[[list[int], list[Any]], dict[str, np.ndarray]]


def discard(path: str | Path) -> None:
    """Remove what the run in a folder found."""
    import shutil

    shutil.rmtree(Path(path) / FOLDER, ignore_errors=True)


def _each(
    context: TaskContext,
    folder: Path,
    pieces: FrameAnswers,
    read: Any,
    frames: list[int],
    shape: tuple[int, int],
    *,
    of_objects: bool = False,
) -> str:
    """Frame after frame, a piece at a time; the run's last word."""
    began, told, boxes = time.monotonic(), 0.0, context.config.get("boxes")
    spans = [range(first, min(first + _PIECE, len(frames))) for first in range(0, len(frames), _PIECE)]
    spans = [span for span in spans if not piece_path(folder, span.start).exists()]
    asked = [(span, frames[start : min(start + _AT_ONCE, span.stop)]) for span in spans for start in span[::_AT_ONCE]]
    left = sum(len(span) for span in spans)
    count = left

    def grays(chosen: list[int]) -> np.ndarray:
        if of_objects:
            return np.stack([read(number) for number in chosen])
        return np.stack([read(_place(boxes, number, shape))[:, 0] for number in chosen])

    answers: list[Any] = []
    # while some frames are looked at, the next ones are read
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(grays, asked[0][1]) if asked else None
        for turn, (span, chosen) in enumerate(asked):
            for order in context.orders():
                if order.kind == "stop":
                    write_piece(folder, span.start, pieces.columns(frames[span.start :][: len(answers)], answers))
                if order.kind != "update":
                    return LAST_WORD[order.kind]
            assert reading is not None
            shown = reading.result()
            reading = beside.submit(grays, asked[turn + 1][1]) if turn + 1 < len(asked) else None
            answers += list(pieces.answer(shown))
            left -= len(chosen)
            now = time.monotonic()
            if now - told > 0.25 or not left:
                told = now
                eta = (now - began) / (count - left) * left
                context.emit("progress", done=len(frames) - left, total=len(frames), unit="frames", eta_s=eta)
            if len(answers) == len(span):
                write_piece(folder, span.start, pieces.columns([frames[n] for n in span], answers))
                answers = []
    return "finished"


def _place(boxes: list[list[int]] | None, number: int, shape: tuple[int, int]) -> Box:
    """Where a frame lies, or a tile by its number."""
    if boxes is None:
        return Box((number, 0, 0), (number + 1, *shape))
    plane, top, bottom, left, right = boxes[number]
    return Box((plane, top, left), (plane + 1, bottom, right))


def _as_classes(frames: list[int], answers: list[Any]) -> dict[str, np.ndarray]:
    return {"frame": np.array(frames, np.int32), "probabilities": np.array(answers, np.float32)}


def _as_places(frames: list[int], answers: list[Any], names: int, axes: int) -> dict[str, np.ndarray]:
    """Instances of frames as columns, a row each."""
    rows = [(frame, found) for frame, found in zip(frames, answers, strict=True) if len(found)]
    if not rows:
        nothing = np.zeros((0, names, axes))
        return {
            "frame": np.zeros(0, np.int32),
            "points": nothing,
            "scores": np.zeros(0),
            "node_scores": nothing[..., 0],
            "extents": nothing[:, 0],
        }
    extents = [np.full(f.at[:, 0].shape, np.nan) if f.extents is None else f.extents for _, f in rows]
    return {
        "frame": np.concatenate([np.full(len(found), frame, np.int32) for frame, found in rows]),
        "points": np.concatenate([found.at for _, found in rows]),
        "scores": np.concatenate([found.scores for _, found in rows]),
        "node_scores": np.concatenate([found.node_scores for _, found in rows]),
        "extents": np.concatenate(extents),
    }
