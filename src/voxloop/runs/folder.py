"""All runs of a workspace: make one, find one, list them. Knows the folder, not what runs do."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from voxloop.config import Config
from voxloop.errors import RunError, unknown
from voxloop.runs import addresses, spare, tasks
from voxloop.runs.comparison import ancestors, differences
from voxloop.runs.events import plain
from voxloop.runs.history import History, metric_of
from voxloop.runs.kinds import Kind, kind_of, learner_name
from voxloop.runs.names import check_name, free_name
from voxloop.runs.run import Run
from voxloop.store.layout import RunPlace

VERSION = 1
_OURS = {"v", "name", "kind", "learner", "task", "result", "device", "created", "title", "settings"}


class Runs(Mapping[str, Run]):
    """The runs in a folder by name, newest last.

    Examples
    --------
    >>> ws.runs
    <Runs: shallow-1, predict-1, objects-1>
    >>> [(row["name"], row["state"], row["kind"]) for row in ws.runs.table()]
    [('shallow-1', 'finished', 'train'), ('predict-1', 'finished', 'predict'), ('objects-1', 'finished', 'objects')]
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).resolve()
        self._opened: dict[str, tuple[float, Run]] = {}

    def create(
        self,
        name: str | None,
        task: str,
        settings: Config | Mapping[str, Any],
        *,
        kind: Kind | None = None,
        learner: str | None = None,
        result: str | None = None,
        device: str = "cpu",
        title: str = "",
        **facts: Any,
    ) -> Run:
        """Freeze a run: a new folder with a ``config.json`` that nothing changes afterwards. Starts nothing.

        Parameters
        ----------
        name
            Letters, digits, ``- _ . +``; None takes the next free ``<module of the task>-<n>``.
        task, result
            ``"package.module:function"``: called with a :class:`RunContext` in a process of its own, and with the
            run's path to open what came out (None: ``model/``).
        kind, learner
            What it does (one of :data:`voxloop.runs.kinds.KINDS`), and who trains; those of ``task``
            where not given.
        settings
            A config, or a mapping that JSON can hold.
        **facts
            What else the task needs, e.g. ``labels={"level/image": sequence}``, ``parent="deep-1"``; stands in
            ``config.json`` beside the settings.

        Raises
        ------
        RunError
            The name is taken or cannot be a folder's name, or the task may not be called.
        """
        if clash := _OURS & facts.keys():
            raise RunError(f"{sorted(clash)} are set by create itself; choose other names")
        tasks.check(task)
        if not isinstance(settings, Config | Mapping):
            raise RunError(f"the settings of a run are a config or names with values, not {str(settings)[:40]!r}")
        name = self._check_unused(name) if name is not None else free_name(_stem(task), self._names())
        config = {
            "v": VERSION,
            "name": name,
            "kind": kind_of({"task": task}) if kind is None else kind,
            "learner": learner_name({"task": task}) if learner is None else learner,
            "title": title,
            "task": task,
            "result": None if result is None else tasks.check(result),
            "device": device,
            "created": time.time(),
            "settings": settings.to_json() if isinstance(settings, Config) else dict(settings),
            **facts,
        }
        addresses.name(addresses.address_of(config))
        return Run(self._write(name, config))

    def __getitem__(self, name: str) -> Run:
        changed = self._changed(name)
        if changed is None:
            raise RunError(unknown("run", name, self))
        opened = self._opened.get(name)
        if opened is None or opened[0] != changed:
            self._opened[name] = opened = (changed, Run(self.folder / name))
        return opened[1]

    def get(self, name: object, default: Any = None) -> Run | Any:
        """The run of a name, ``default`` where there is none."""
        return default if self._changed(name) is None else self[str(name)]

    def _changed(self, name: object) -> float | None:
        """When the ``config.json`` of a run was written; None where there is no run of this name."""
        if not isinstance(name, str) or not name.strip(".") or "/" in name or "\0" in name:
            return None
        try:
            return RunPlace(self.folder / name).config.stat().st_mtime
        except OSError:
            return None

    @property
    def damaged(self) -> dict[str, str]:
        """What is wrong with each run that cannot be opened; these are left out of every list."""
        return {name: reason for name in self._names() if (reason := self._damage(name))}

    def _damage(self, name: str) -> str:
        """Why a run cannot be opened; empty where it can."""
        try:
            self[name]
        except RunError as error:
            return str(error)
        return ""

    def _names(self) -> list[str]:
        configs = [path for path in self.folder.glob("*/config.json") if path.parent.name[0] != "."]
        configs.sort(key=lambda path: (path.stat().st_mtime_ns, path.parent.name))
        return [path.parent.name for path in configs]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self._names() if not self._damage(name)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return self._changed(name) is not None and not self._damage(str(name))

    def table(self) -> list[dict[str, Any]]:
        """One row a run, newest last.

        Its name, state, kind, learner, parent, agreement (of the kept epoch with held-out strokes, which is no measure
        of how good it is: ``ws.scores.table()`` is), epochs, created (seconds since 1970) and note.
        """
        return [_row(run) for run in self.values()]

    def compare(self, *names: str) -> dict[str, list[Any]]:
        """The settings in which runs differ, each with the value of every run; all runs where none is named."""
        return differences([self[name] for name in names or self])

    def ancestors(self, name: str) -> list[str]:
        """The runs from whose weights a run came, oldest first."""
        return ancestors(self, name)

    @staticmethod
    def warm(task: str) -> bool:
        """Have a process ready that has imported ``task``, so that the next launch begins at once.

        False, and nothing is started, where the memory limit is under 6 GB.
        """
        return spare.warm(task)

    def _check_unused(self, name: str) -> str:
        if (self.folder / check_name(name)).exists():
            free = free_name(re.sub(r"-[0-9]+$", "", name), self._names())
            raise RunError(f"there is a run {name!r} already; {free!r} is free")
        return name

    def _write(self, name: str, config: dict[str, Any]) -> Path:
        """The folder appears whole or not at all."""
        path, temporary = self.folder / name, self.folder / f".{name}-{time.time_ns()}.tmp"
        try:
            (temporary / "control").mkdir(parents=True)
            RunPlace(temporary).config.write_text(json.dumps(plain(config, digits=17), indent=2) + "\n")
            os.rename(temporary, path)  # noqa: PTH104 - fails where somebody was faster, which replace would not
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise RunError(f"run {name!r} cannot be made in {self.folder}: {error.strerror or error}") from error
        return path

    def __repr__(self) -> str:
        damaged = self.damaged
        left_out = f"; damaged: {', '.join(damaged)}" if damaged else ""
        return f"<Runs: {', '.join(self) or 'none'}{left_out}>"


def _stem(task: str) -> str:
    """``voxloop.deep.learner:train`` -> ``deep``."""
    parts = task.partition(":")[0].split(".")
    package = parts[-2] if len(parts) > 1 else parts[-1]
    return re.sub(r"\W", "-", package)


def _agreement(history: History) -> float | None:
    """Mean IoU of the kept epoch on held-out strokes; None where there is none."""
    value = metric_of(history.best, "val", "iou") if history.best else math.nan
    return None if math.isnan(value) else value


def _row(run: Run) -> dict[str, Any]:
    history = run.history
    return {
        "name": run.name,
        "state": run.state,
        "kind": run.kind,
        "learner": run.learner,
        "parent": run.config.get("parent"),
        "agreement": _agreement(history),
        "epochs": history.epoch,
        "created": run.config.get("created"),
        "note": run.note,
    }
