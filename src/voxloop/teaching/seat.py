"""What one workspace tells of its learner: read from the ends of a few files, no lock taken, nothing computed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from voxloop.plain_files import open_plain
from voxloop.review.score import Score
from voxloop.runs.run import ALIVE, Run
from voxloop.store.json_lines import parse_lines
from voxloop.store.layout import Layout
from voxloop.teaching.answers import AnswerLog, solved, wrong_in_a_row

T = TypeVar("T")
#: bytes at the end of a journal that hold its last edit, tried in turn
_ENDS = (2**14, 2**20)
#: wrong answers in a row after which somebody may want help
STUCK_AFTER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One learner as their workspace tells it.

    Attributes
    ----------
    name, path, author : the seat in the room, its folder, and who signed there last.
    step : where they are: ``opened``, ``painting``, ``training``, ``trained``, ``predicting``, ``reviewing``,
        ``correcting``.
    solved, of : exercises answered right, and how many the lesson has; 0 where it is no lesson.
    exercise, wrong : the exercise answered last, and wrong answers to it in a row; 0 where there is none.
    edits : in all journals.
    score : the newest honest score that was computed there; None where there is none.
    run, run_state : the newest run.
    last : seconds since 1970 of the last thing that happened; 0 where that is not known.
    broken : why it cannot be read; empty where it can.
    """

    name: str
    path: Path
    author: str = ""
    step: str = ""
    solved: tuple[int, ...] = ()
    of: int = 0
    exercise: int = 0
    wrong: int = 0
    edits: int = 0
    score: Score | None = None
    run: str = ""
    run_state: str = ""
    last: float = 0.0
    broken: str = ""

    @property
    def finished(self) -> bool:
        """Whether every exercise was answered right."""
        return bool(self.of) and len(self.solved) >= self.of

    def trouble(self, now: float, quiet_s: float) -> str:
        """Why somebody may want to walk over there; empty where nothing says so."""
        if self.broken:
            return "broken"
        if self.wrong >= STUCK_AFTER:
            return f"exercise {self.exercise}: {self.wrong} wrong answers"
        if self.run_state in ("failed", "interrupted"):
            return f"{self.run} {self.run_state}"
        if not self.finished and self.last and now - self.last > quiet_s:
            return "quiet"
        return ""

    def row(self, now: float, quiet_s: float) -> dict[str, Any]:
        """Plain values for a table; what is not known is None."""
        known = self.score is not None and self.score.known
        low, high = self.score.interval if self.score is not None and known else (None, None)
        return {
            "name": self.name,
            "author": self.author or None,
            "step": self.step or None,
            "exercises": len(self.solved) if self.of else None,
            "of": self.of or None,
            "exercise": self.exercise or None,
            "wrong": self.wrong,
            "edits": self.edits,
            "low": low,
            "iou": self.score.iou if self.score is not None and known else None,
            "high": high,
            "run": self.run or None,
            "state": self.run_state or None,
            "idle_s": round(now - self.last, 1) if self.last else None,
            "trouble": self.trouble(now, quiet_s) or None,
            "broken": self.broken or None,
            "path": str(self.path),
        }


@dataclass(slots=True)
class SeatReader:
    """Reads one workspace again and again; of files that did not change nothing is read twice."""

    name: str
    path: Path
    _kept: dict[Path, tuple[tuple[int, int], Any]] = field(default_factory=dict)
    _run: Run | None = None

    def read(self) -> Seat:
        """The seat as it is now. Raises nothing: what cannot be read is said in it."""
        try:
            return self._read()
        except OSError as error:
            what = f"{Path(error.filename).name}: " if isinstance(error.filename, str) else ""
            return Seat(name=self.name, path=self.path, broken=f"{what}{error.strerror or error}")
        except Exception as error:  # a folder that anyone may have written
            return Seat(name=self.name, path=self.path, broken=f"{type(error).__name__}: {str(error)[:120]}")

    def _read(self) -> Seat:
        layout = Layout(self.path)
        document = self._once(layout.document, _whole)
        if not isinstance(document, dict) or not isinstance(document.get("images"), list):
            return Seat(name=self.name, path=self.path, broken="workspace.json is damaged")
        journals = [*_files(layout.journals, ".jsonl")]
        ends = [end for one in journals if (end := self._once(one, _last_edit)) is not None]
        answers = self._answers()
        run = self._newest_run()
        state = run.state if run is not None else ""
        score, scored = self._score()
        times = [_changed(one) for one in (*journals, layout.rounds, AnswerLog(self.path).path)]
        times.append(_changed(run.path / "events.jsonl") if run is not None else 0.0)
        exercise, wrong = wrong_in_a_row(answers)
        edited = max((_changed(one) for one in journals), default=0.0)
        newest = max(ends, key=lambda end: str(end.get("time", "")), default={})
        return Seat(
            name=self.name,
            path=self.path,
            author=str(answers[-1]["author"] if answers else newest.get("author") or ""),
            step=_step(bool(ends), edited, run, state, scored),
            solved=tuple(sorted(solved(answers))),
            of=int(answers[-1]["of"]) if answers else 0,
            exercise=exercise,
            wrong=wrong,
            edits=sum(int(end.get("seq", 0)) for end in ends),
            score=score,
            run=run.name if run is not None else "",
            run_state=state,
            last=max(times) or _changed(layout.document),
        )

    def _answers(self) -> list[dict[str, Any]]:
        log = AnswerLog(self.path)
        return self._once(log.path, lambda path: log.read()) or []

    def _newest_run(self) -> Run | None:
        folders = [(_changed(one / "events.jsonl") or _changed(one), one) for one in _folders(Layout(self.path).runs)]
        if not folders:
            return None
        newest = max(folders)[1]
        if self._run is None or self._run.path != newest.resolve():
            self._run = Run(newest)
        return self._run

    def _score(self) -> tuple[Score | None, float]:
        """The newest score that is kept, and when it was computed."""
        found = [(_changed(one), one) for one in _files(Layout(self.path).scores, ".json")]
        if not found:
            return None, 0.0
        when, newest = max(found)
        data: Any = self._once(newest, _whole)
        with suppress(KeyError, TypeError, ValueError):
            return Score.from_json(data["score"]), when
        return None, 0.0

    def _once(self, path: Path, read: Callable[[Path], T]) -> T | None:
        """What ``read`` says of a file, kept until it changes; None where it is not there."""
        try:
            about = path.stat()
        except FileNotFoundError:
            return None
        mark = about.st_mtime_ns, about.st_size
        if path not in self._kept or self._kept[path][0] != mark:
            self._kept[path] = mark, read(path)
        value: T = self._kept[path][1]
        return value


def _step(painted: bool, edited: float, run: Run | None, state: str, scored: float) -> str:
    if run is not None and state in ALIVE:
        return "training" if run.kind == "train" else "predicting"
    if run is None:
        return "painting" if painted else "opened"
    ended = _changed(run.path / "events.jsonl")
    if edited > ended:
        return "correcting"
    return "reviewing" if run.kind != "train" or scored > ended else "trained"


def _whole(path: Path) -> Any:
    with open_plain(path) as file, suppress(ValueError, RecursionError):
        return json.loads(file.read(2**24))
    return None


def _last_edit(path: Path) -> dict[str, Any] | None:
    """The last whole line of a journal."""
    with open_plain(path) as file:
        size = file.seek(0, os.SEEK_END)
        for end in _ENDS:
            file.seek(max(0, size - end))
            found = list(parse_lines(file.read().split(b"\n")[:-1]))
            if found and type(found[-1].get("seq")) is int:
                return found[-1]
            if end >= size:
                break
    return None


def _files(folder: Path, ending: str) -> Iterator[Path]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        yield from (Path(one.path) for one in found if one.name.endswith(ending))


def _folders(folder: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        yield from (Path(one.path) for one in found if one.is_dir() and (Path(one.path) / "config.json").is_file())


def _changed(path: Path) -> float:
    """Seconds since 1970; 0 where there is none. A clock that runs ahead is not believed."""
    with suppress(OSError):
        return min(path.stat().st_mtime, time.time())
    return 0.0
