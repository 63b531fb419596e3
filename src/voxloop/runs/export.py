"""The numbers of a run as a table for other programs. Knows no learner and no figure."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import RunError
from voxloop.given import path_of
from voxloop.spreadsheets import cell_of
from voxloop.store.values import text as text_of

if TYPE_CHECKING:
    from voxloop.runs.history import History

_STEP = ("loss", "lr", "samples_per_s")


def to_csv(history: History) -> str:
    """One line a step and one an epoch, told apart by the column ``kind``; what a line does not have is empty.

    Columns: kind, epoch, iteration, time (seconds since 1970), loss, lr, samples_per_s, then what epochs measured, such
    as ``train loss``, ``val loss``, ``val iou: mito``.
    """
    epochs = [_epoch(event) for event in history.epochs]
    measured = list(dict.fromkeys(name for epoch in epochs for name in epoch))
    head = ["kind", "epoch", "iteration", "time", *_STEP, *(name for name in measured if " " in name)]
    lines: list[tuple[float, dict[str, Any]]] = []
    steps = history.steps
    for row in zip(*(steps[name] for name in ("iteration", "epoch", "time", *_STEP)), strict=True):
        values = dict(zip(("iteration", "epoch", "time", *_STEP), row, strict=True))
        lines.append((values["iteration"], {"kind": "step", **values}))
    for event, epoch in zip(history.epochs, epochs, strict=True):
        lines.append((float(event.get("iteration") or 0), {"kind": "epoch", **epoch}))
    lines.sort(key=lambda line: line[0])  # stable: an epoch follows the step that ends it
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(cell_of, head))
    writer.writerows([cell_of(_text(line.get(name))) for name in head] for _, line in lines)
    return out.getvalue()


def place(path: object, usual: Path) -> Path:
    """Where to write: where the caller says, else in the run's folder, never through a link. Raises RunError."""
    if path is not None:
        return path_of(path, error=RunError)
    for part in (usual, usual.parent):
        if part.is_symlink():
            raise RunError(f"{part} is a link, and nothing is written through links; give a path")
    return usual


def as_note(words: object) -> bytes:
    """What a caller notes of a run, as it is kept. Raises RunError for what is no text."""
    return text_of("note", words, error=RunError).strip().encode()


def save(text: str | bytes, path: Path) -> Path:
    """Write a file, and the folders above it. Raises RunError where the disk refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode() if isinstance(text, str) else text
        path.write_bytes(data)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def _epoch(event: dict[str, Any]) -> dict[str, Any]:
    out = {name: event.get(name) for name in ("epoch", "iteration", "time")}
    for split in ("train", "val"):
        for name, value in (event.get(split) or {}).items():
            if isinstance(value, dict):
                out |= {f"{split} {name}: {key}": one for key, one in value.items()}
            else:
                out[f"{split} {name}"] = value
    return out


def _text(value: Any) -> Any:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
