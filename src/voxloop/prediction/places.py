"""The task of a run that finds animals, points or boxes: a model and pictures in, instances on disk out."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.model import load_model
from voxloop.prediction.found import FOLDER, begin, write_piece
from voxloop.runs.orders import LAST_WORD
from voxloop.volumes import channels_of, read_block

if TYPE_CHECKING:
    from voxloop.runs.context import TaskContext

#: frames that are asked at once, and that a piece on disk holds
_AT_ONCE, _PIECE = 8, 64


def run(context: TaskContext) -> str:
    """Look at the frames (or the volume) that the run's config names.

    ``config``: ``model`` (folder), ``image``, ``level``, ``frames`` (a list; None: the volume). A run that is started
    again goes on where it was. Stop keeps what is done, cancel removes it.
    """
    from voxloop.store import Store

    config = PredictConfig.from_json(context.settings)
    model: Any = load_model(context.layout.named(context.config["model"]))
    folder = context.path / FOLDER
    frames: list[int] | None = context.config["frames"]
    plan = model.plan
    with Store.open(context.workspace, read_only=True) as store:
        volume = store.images.open(context.config["image"])
        if channels_of(volume) != model.spec.channels:
            raise PredictionError(
                f"the model was trained on {model.spec.channels} channels, and image {context.config['image']!r} has "
                f"{channels_of(volume)}; use an image with as many"
            )
        about = {
            "level": context.config["level"],
            "image": context.config["image"],
            "kind": plan.kind,
            "names": list(plan.names),
            "by_class": plan.pipeline == "detect",
            "node": context.config["node"],
            "classes": context.config["classes"],
            "frames": frames,
        }
        begin(folder, about)
        read = partial(read_block, volume)
        with model.opened(config.device, threads=config.threads) as finder:
            if frames is None:
                found = finder.volume(read, tuple(volume.shape[-3:]), context.config.get("threshold"))
                write_piece(folder / "0000000.npz", _columns([(-1, found)], len(plan.names), 3))
                return "finished"
            return _each(context, folder, finder, read, frames, (int(volume.shape[-2]), int(volume.shape[-1])))


def discard(path: str | Path) -> None:
    """Remove what the run in a folder found."""
    import shutil

    shutil.rmtree(Path(path) / FOLDER, ignore_errors=True)


def _each(context: TaskContext, folder: Path, finder: Any, read: Any, frames: list[int], shape: tuple[int, int]) -> str:
    """Frame after frame, a piece at a time; the run's last word."""
    began, told, done = time.monotonic(), 0.0, 0
    threshold = context.config.get("threshold")
    for first in range(0, len(frames), _PIECE):
        piece = folder / f"{first:07d}.npz"
        wanted = frames[first : first + _PIECE]
        if piece.exists():
            done += len(wanted)
            continue
        rows: list[tuple[int, Any]] = []
        for start in range(0, len(wanted), _AT_ONCE):
            for order in context.orders():
                if order.kind == "stop":
                    write_piece(piece, _columns(rows, len(finder.names), finder.axes))
                if order.kind != "update":
                    return LAST_WORD[order.kind]
            chosen = wanted[start : start + _AT_ONCE]
            grays = np.stack([read(Box((z, 0, 0), (z + 1, *shape)))[:, 0] for z in chosen])
            rows += zip(chosen, finder.frames(grays, threshold), strict=True)
            done += len(chosen)
            now = time.monotonic()
            if now - told > 0.25 or done == len(frames):
                told = now
                left = (now - began) / done * (len(frames) - done)
                context.emit("progress", done=done, total=len(frames), unit="frames", eta_s=left)
        write_piece(piece, _columns(rows, len(finder.names), finder.axes))
    return "finished"


def _columns(rows: list[tuple[int, Any]], names: int, axes: int) -> dict[str, np.ndarray]:
    """Instances of frames as columns, a row each."""
    rows = [(frame, found) for frame, found in rows if len(found)]
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
