"""One page that says all of a training run: how it went, from what, with which settings, and what it is worth.

Self-contained HTML: curves as SVG, samples as data, no scripts, nothing fetched. Says only what is on record.
"""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from voxloop.config import Config
from voxloop.config.base import flat
from voxloop.config.learners import LEARNERS, OF_MARKS
from voxloop.config.presets import code_of
from voxloop.errors import ConfigError, RunError
from voxloop.plain_files import read_plain
from voxloop.review.report_parts import note, number, table
from voxloop.review.report_places import describe_held_out
from voxloop.review.report_score import describe_reliability, describe_score
from voxloop.review.run_figure import draw
from voxloop.review.scores import ScoreCache
from voxloop.runs import Runs
from voxloop.runs.comparison import ancestors
from voxloop.runs.history import History
from voxloop.store.layout import Layout, RunPlace

if TYPE_CHECKING:
    from voxloop.runs import Run

_SAMPLES = 3
_PICTURES = (
    "The pictures that judge taught nothing, but chose the epoch that is kept: where training falls and validation "
    "rises, the network learns by heart."
)
_CURVES = (
    "Agreement with held-out strokes shows over-fitting, not how good the model is: strokes lie near each other, and "
    "on easy or hard places."
)
#: scores of separate objects, as the log names them and as they are said
_OBJECTS = (("ap50", "AP@0.5 of separate objects"), ("pq", "panoptic quality of objects"))
#: what a sample shows
_SHOWN = {
    "pose": "Held-out frames: white what was labelled, orange what was found.",
    "detect": "Held-out pictures: white what was labelled, orange what was found.",
    "pictures": "Held-out pictures, those that are wrong first; below where the network saw the class that it said.",
}
_WORK = {"train": "training", "predict": "prediction", "batch": "prediction"}  # others are called by their kind


def page(run: Run) -> str:
    """The report of a run as HTML. Raises RunError where it has no numbers yet, or matplotlib is missing."""
    try:
        return _page(run)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise RunError(
            f"the log or the settings of run {run.name!r} are damaged ({error}); it has no report"
        ) from error


def _page(run: Run) -> str:
    history = run.history
    curves = draw([run], "svg").decode()
    config = _config(run)
    sections = [
        ("Score", describe_score(run)),
        ("Reliability", describe_reliability(run)),
        ("Training", _training(run, history)),
        ("Held-out pictures", describe_held_out(history)),
        ("Curves", f'<div class="curves">{curves[curves.index("<svg") :]}</div>' + note(_words_of_curves(run))),
        ("Samples", _samples(run, history)),
        ("Data", _data(run, history)),
        ("Settings", _settings(run, config)),
        ("Lineage", _lineage(run)),
        ("Circumstances", _circumstances(history)),
        ("Log", _log(history)),
    ]
    body = "".join(f"<section><h2>{title}</h2>{content}</section>" for title, content in sections if content)
    sheet = files("voxloop.review").joinpath("run_report.css").read_text(encoding="utf-8")
    name = html.escape(run.name)
    remark = f"<p>{html.escape(run.note)}</p>" if run.note else ""
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(float(run.config.get("created") or 0)))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{sheet}</style></head>'
        f"<body><header><h1>{name}</h1><p>{html.escape(run.state)} · created {made} · workspace "
        f"{html.escape(Layout.of_run(run.path).root.name)}</p>{remark}</header>{body}</body></html>"
    )


def _words_of_curves(run: Run) -> str:
    return _PICTURES if run.learner in OF_MARKS else _CURVES


def _training(run: Run, history: History) -> str:
    """What was done, which epoch is kept, and what it says of held-out strokes beside another method."""
    words = []
    if history.best is not None:
        words.append(f"Kept is epoch {history.best.get('epoch')} of {history.epoch}.")
    steps = f"{history.iteration:,} optimiser steps, " if history.iteration else ""
    words.append(f"{steps}{history.busy_s / 60:.1f} minutes at work.")
    if run.outcome is not None:
        words.append(f"{run.outcome.words[:1].upper()}{run.outcome.words[1:]}.")
    out = f"<p>{html.escape(' '.join(words))}</p>"
    test = history.test
    if test is None:
        return out
    base = test["baseline"]
    rows = [(name, number(value), number(base["iou"].get(name))) for name, value in test["iou"].items()]
    rows.append(("mean (interval)", _interval(test), _interval(base)))
    objects, plain = test.get("objects") or {}, base.get("objects") or {}
    rows += [(words, number(objects[key]), number(plain.get(key))) for key, words in _OBJECTS if key in objects]
    remark = (
        "These are the validation labels, which chose the epoch that is kept: the agreement flatters. "
        "With test_share a test block is set aside until the end."
    )
    if test.get("on") == "test":
        remark = "These test labels had no part in the training, nor in the choice of the epoch."
        if names := _ancestors_that_may_know(run):
            remark = f"This run never learnt from these labels; {names}, whose weights it started from, may have."
    basis = f"IoU on {test.get('voxels', 0):,} held-out voxels in {test.get('windows', '?')} windows"
    line = f"{basis}. It says which of the two is better, not how good either is on the image. {remark}"
    return out + table(("agreement with held-out strokes", "this model", base["name"]), rows) + note(line)


def _samples(run: Run, history: History) -> str:
    last = {str(event.get("name", event.get("window"))): event for event in history.samples}
    pictures = []
    for event in list(last.values())[:_SAMPLES]:
        path = (run.path / str(event.get("path"))).resolve()
        if path.is_relative_to(run.path) and path.is_file():
            data = base64.b64encode(path.read_bytes()).decode()
            words = html.escape(f"epoch {event.get('epoch', '?')}")
            pictures.append(
                f'<figure><img src="data:image/png;base64,{data}"><figcaption>{words}</figcaption></figure>'
            )
    if not pictures:
        return ""
    words = _SHOWN.get(run.learner or "", "Image, validation labels, prediction, confidence.")
    return "".join(pictures) + note(words)


def _data(run: Run, history: History) -> str:
    config, settings = run.config, run.config.get("settings") or {}
    rows: list[tuple[str, str]] = []
    for key in ("set", "validation_set"):
        if key in config:
            rows.append((key.replace("_", " "), f"{config[key]['name']}, version {config[key]['version']}"))
    if "constrain" in config:
        inside = config["constrain"]
        rows.append(("only inside", f"{inside['level']} / {inside['class'] or 'any object'}"))
    if "set" not in config:
        rows.append(("training set", "everything that was labelled"))
    split = settings.get("split")
    if split and "validation_set" not in config:
        rows.append(("held out", f"{settings.get('validation_share', 0):.0%} of the labels, by {split}"))
    if settings.get("test_share"):
        rows.append(("test share", f"{settings['test_share']:.0%} of the labels"))
    cells = _held_out_blocks(run)
    if cells:
        rows.append(("held-out blocks", cells))
    labels = [(key, f"edit {sequence}") for key, sequence in (config.get("labels") or {}).items()]
    boxes = [
        (f"{row['image']} / {row['level']}", row.get("region") or "", _box(row.get("box")))
        for row in config.get("rows") or ()
    ]
    counts = [str(event.get("text")) for event in history.log if "labelled voxels" in str(event.get("text"))][:1]
    return (
        table(("", ""), rows)
        + table(("labels", "as they were after"), labels)
        + (table(("row of the training set", "region", "voxels z, y, x"), boxes) if boxes else "")
        + "".join(f'<p class="note">{html.escape(text)}</p>' for text in counts)
    )


def _split(run: Run) -> dict[str, Any]:
    """The split of a run as its checkpoint holds it; empty where there is none."""
    try:
        return dict(json.loads(read_plain(RunPlace(run.path).last_checkpoint / "state.json"))["split"])
    except (OSError, ValueError, KeyError):
        return {}


def _ancestors_that_may_know(run: Run) -> str:
    """Ancestors that did not keep apart, in the same cells, all that this run was tested on."""
    runs = Runs(Layout.of_run(run.path).runs)
    own = _split(run)
    names = []
    for name in ancestors(runs, run.name):
        theirs = _split(runs[name]) if name in list(runs) else {}
        apart = all(
            image in theirs
            and theirs[image]["cell"] == one["cell"]
            and {tuple(c) for c in one.get("tested", ())} <= {tuple(c) for c in theirs[image].get("tested", ())}
            for image, one in own.items()
            if one.get("tested")
        )
        names += [] if apart else [name]
    return ", ".join(names)


def _held_out_blocks(run: Run) -> str:
    """How many blocks are for validation and for the test, image by image."""
    parts = []
    for image, one in _split(run).items():
        tested = len(one.get("tested", ()))
        words = f"{image}: {_blocks(len(one['cells']) - tested, 'validation')}"
        if tested:
            words += f", {_blocks(tested, 'test')}"
        parts.append(words)
    return "; ".join(parts)


def _blocks(count: int, part: str) -> str:
    return f"{count} {part} block" if count == 1 else f"{count} {part} blocks"


def _box(box: Sequence[Sequence[int]] | None) -> str:
    return "all" if box is None else ", ".join(f"{a}:{b}" for a, b in box)


def _settings(run: Run, config: Config | None) -> str:
    given = flat(run.config.get("settings") or {})
    usual = flat(type(config)().to_json()) if config is not None else {}
    changed = [(name, value) for name, value in given.items() if name not in usual or usual[name] != value]
    same = [(name, value) for name, value in given.items() if name in usual and usual[name] == value]
    line = f"<p><code>ws.train({html.escape(code_of(config))})</code></p>" if config is not None else ""
    rows = [(name, _value(value), _value(usual.get(name))) for name, value in changed]
    rest = table(("setting", "value"), [(name, _value(value)) for name, value in same])
    return (
        line
        + table(("setting", "value", "default"), rows, mark=True)
        + f"<details><summary>{len(same)} settings as they are by default</summary>{rest}</details>"
    )


def _lineage(run: Run) -> str:
    layout = Layout.of_run(run.path)
    runs, scores = Runs(layout.runs), ScoreCache(layout)
    chain = [*ancestors(runs, run.name), run.name]
    rows = []
    for name in chain:
        known = dict(runs).get(name)
        score = scores.of_run(known) if known else None
        rows.append((name, known.state if known else "a model folder, or deleted", score.words if score else "–"))
    made = [
        (other.name, _WORK.get(other.kind, other.kind), other.state)
        for other in runs.values()
        if other.config.get("parent") == run.name
    ]
    return table(("from the first ancestor to this run", "state", "score"), rows) + (
        table(("made from it", "what", "state"), made) if made else ""
    )


def _circumstances(history: History) -> str:
    started = history.started or {}
    rows = [
        (name, str(started[name])) for name in ("device", "host", "threads", "seed") if started.get(name) is not None
    ]
    rows += [(f"version of {name}", str(value)) for name, value in (started.get("versions") or {}).items()]
    rows += [
        (f"changed at {_clock(event)}", f"{event.get('what')}: {event.get('old')} to {event.get('new')}")
        for event in history.updates
    ]
    return table(("", ""), rows)


def _log(history: History) -> str:
    items = []
    for event in history.log:
        if event["kind"] in ("warning", "log") or event.get("error"):
            words = html.escape(str(event.get("text", event.get("error"))))
            items.append(f'<li class="{html.escape(event["kind"])}">{_clock(event)} {words}</li>')
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _config(run: Run) -> Config | None:
    """The settings as a config, where this version still knows them."""
    learner = LEARNERS.get(run.learner or "")
    if learner is None:
        raise RunError(f"run {run.name!r} is no training; reports are about trainings")
    try:
        return learner.config.from_json(run.config.get("settings") or {})
    except ConfigError:
        return None


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _interval(found: Mapping[str, Any]) -> str:
    low, high = found.get("low"), found.get("high")
    return number(found.get("mean")) + (f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else "")


def _clock(event: Mapping[str, Any]) -> str:
    return time.strftime("%H:%M:%S", time.localtime(float(event.get("time") or 0)))
