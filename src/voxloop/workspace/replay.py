"""``replay``: a training done again from the record, beside the workspace, and what is different. Changes nothing."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxloop.errors import RunError
from voxloop.model import ModelSpec, read_spec
from voxloop.runs import Run, tasks
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.runs.history import History
from voxloop.runs.runner import package_versions, threads_of_process
from voxloop.store.layout import Layout, RunPlace
from voxloop.workspace.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came of training a run again.

    Attributes
    ----------
    same : whether the model is the old one, bit for bit.
    then, now : the hashes of the two models.
    differences : what differs, in the models and in what they were made with; a sentence each.
    """

    run: str
    same: bool
    then: str
    now: str
    differences: tuple[str, ...]

    @property
    def words(self) -> str:
        """A line, and one for each difference."""
        if self.same:
            first = f"{self.run}: trained again, the model is the same bit for bit (hash {self.now[:12]})"
        else:
            first = f"{self.run}: trained again, the model is another (hash {self.then[:12]} then, {self.now[:12]} now)"
        return "\n".join([first, *(f"  {one}" for one in self.differences)])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "run": self.run,
            "same": self.same,
            "then": self.then,
            "now": self.now,
            "differences": list(self.differences),
        }


class _ReplayContext(RunContext):
    """The context of a run that writes beside the workspace and reads from it."""

    def __init__(self, path: Path, original: Run, writer: EventWriter) -> None:
        super().__init__(path, original.config, writer)
        self._layout = Layout.of_run(original.path)

    @property
    def layout(self) -> Layout:
        return self._layout


def replay(project: Project, run: Run | str) -> Replay:
    """Train again from the labels as they were, with the settings and the seed on record; compare the models.

    Works in a temporary folder, in this process, and takes as long as the training did.

    Raises
    ------
    RunError
        The run is no training, kept no model, or cannot be done again.
    """
    original = project.runs[run] if isinstance(run, str) else run
    if original.kind != "train":
        raise RunError(f"run {original.name!r} is no training; name one of {_trainings(project)}")
    kept = RunPlace(original.path)
    if not kept.spec.exists():
        raise RunError(f"run {original.name!r} kept no model to compare with: it is {original.state}")
    with tempfile.TemporaryDirectory(prefix="voxloop-replay-") as scratch:
        folder = Path(scratch) / original.name
        (folder / "control").mkdir(parents=True)
        writer = EventWriter(folder / "events.jsonl")
        try:
            context = _ReplayContext(folder, original, writer)
            outcome = tasks.load(original.config["task"])(context)
        finally:
            writer.close()
        made = RunPlace(folder)
        if not made.spec.exists():
            raise RunError(f"run {original.name!r} was trained again and ended {outcome!r} without a model")
        before, after = read_spec(kept.model), read_spec(made.model)
        steps = _steps(folder)
        differing = _differing_files(kept.model, made.model)
    same = before.hash == after.hash and not differing
    differences = (*_of_models(before, after, differing), *_of_circumstances(original, steps))
    return Replay(run=original.name, same=same, then=before.hash, now=after.hash, differences=differences)


def _trainings(project: Project) -> str:
    return ", ".join(name for name, run in project.runs.items() if run.kind == "train") or "none: there is no training"


def _steps(folder: Path) -> int:
    """Optimiser steps that the events of a run folder count."""
    from voxloop.runs.events import EventReader
    from voxloop.runs.history import fold

    return fold(History(), EventReader(folder / "events.jsonl").read()).iteration


def _differing_files(then: Path, now: Path) -> list[str]:
    """Names of the files of numbers that are not the same in two model folders; archives by what is in them."""
    names = {path.name for folder in (then, now) for path in folder.iterdir() if path.is_file()} - {"spec.json"}
    return sorted(name for name in names if _digest(then / name) != _digest(now / name))


def _digest(path: Path) -> str:
    import zipfile

    if not path.exists():
        return ""
    if not zipfile.is_zipfile(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    # an archive notes when it was written
    digest = hashlib.sha256()
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            digest.update(name.encode() + archive.read(name))
    return digest.hexdigest()


def _of_models(then: ModelSpec, now: ModelSpec, files: list[str]) -> list[str]:
    before, after = _flat(then), _flat(now)
    keys = sorted(key for key in before.keys() | after.keys() if key != "hash" and before.get(key) != after.get(key))
    sentences = [f"{key}: {_short(before.get(key))} then, {_short(after.get(key))} now" for key in keys]
    if files:
        sentences.append(f"other numbers in {', '.join(files)}")
    return sentences


def _of_circumstances(run: Run, steps: int) -> list[str]:
    """What the training was done with, where that differs; not all of it matters."""
    history = run.history
    started: Mapping[str, Any] = history.started or {}
    versions = dict(started.get("versions") or {})
    current = package_versions()
    sentences = [
        f"{name} {version} then, {current[name]} now"
        for name, version in sorted(versions.items())
        if name in current and current[name] != version
    ]
    threads = started.get("threads")
    if threads is not None and threads != threads_of_process():
        sentences.append(f"{threads} threads then, {threads_of_process()} now")
    if history.iteration and history.iteration != steps:
        clock = "; the clock decided on the end" if run.config.get("settings", {}).get("max_minutes") else ""
        sentences.append(f"{history.iteration} steps then, {steps} now{clock}")
    if history.updates:
        sentences.append(f"settings were changed on the way then ({', '.join(_changed(run))}), and not now")
    if history.phase == "stopped":
        sentences.append("it was stopped by hand then, and not now")
    return sentences


def _changed(run: Run) -> list[str]:
    return sorted({str(update.get("what")) for update in run.history.updates})


def _flat(spec: ModelSpec) -> dict[str, Any]:
    """The fields of a spec, those of ``extra`` by themselves, as JSON holds them."""
    fields = json.loads(json.dumps(spec.to_json()))
    extra = fields.pop("extra", None) or {}
    return {**fields, **{f"extra.{key}": value for key, value in extra.items()}}


def _short(value: Any) -> str:
    words = json.dumps(value)
    return words if len(words) <= 60 else words[:57] + "..."
