"""A learner's place in a lesson: a made-up stack whose truth is computed and not shown, and questions on it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VoxloopError, WorkspaceError
from voxloop.teaching.answers import AnswerLog, solved, wrong_in_a_row
from voxloop.teaching.exercise import Exercise, Reply

if TYPE_CHECKING:
    from voxloop.volumes.samples import Sample
    from voxloop.workspace.workspace import Workspace

#: of the stack that a lesson is about, unless another is named; the quickstart has another
SEED = 20


class Workshop:
    """A lesson as its learner holds it.

    The truth of the stack is made again from its seed whenever an answer is looked at; it lies in no file. Answers are
    noted in ``exercises.jsonl`` of the workspace, so that a lesson goes on after a restart, and
    :class:`~voxloop.panels.classroom.classroom_panel.Classroom` shows who is where.

    Parameters
    ----------
    folder
        Of the workspace; made where it is not there, gone on with where it is.
    seed
        Of the stack: learners with the same one have the same pictures.
    exercises
        Questions of your own; None: the seven of the first lesson.

    Raises
    ------
    WorkspaceError
        The folder holds another workspace than one of this lesson and seed.

    Examples
    --------
    >>> lesson = vl.Workshop("workspaces/lesson")
    >>> lesson.check(1, 2.05)
    Right: that is how wide it is.
    """

    def __init__(
        self,
        folder: str | Path = "workspaces/lesson",
        *,
        seed: int = SEED,
        exercises: Sequence[Exercise] | None = None,
    ) -> None:
        from voxloop.store.values import whole
        from voxloop.teaching.first_lesson import EXERCISES
        from voxloop.workspace.workspace import Workspace

        self.seed = whole("seed", seed, error=WorkspaceError)
        self.exercises: tuple[Exercise, ...] = tuple(EXERCISES if exercises is None else exercises)
        name = f"lesson-{self.seed}"
        if (Path(folder) / "workspace.json").exists():
            self.ws: Workspace = Workspace.open(folder)
            if name not in self.ws.images.names:
                held = ", ".join(self.ws.images.names) or "nothing"
                raise WorkspaceError(f"{folder} holds no lesson with seed {self.seed} but {held}; name another folder")
        else:
            sample = self._sample
            self.ws = Workspace.create(folder, image=sample.volume, classes=sample.classes, image_name=name)
        self.log = AnswerLog(self.ws.path)

    @cached_property
    def _sample(self) -> Sample:
        from voxloop.volumes import samples

        return samples.load("em", seed=self.seed)

    @cached_property
    def truth(self) -> np.ndarray:
        """What nobody is shown: class values (z, y, x), as an array in memory."""
        return np.asarray(self._sample.truth)

    def check(self, number: int, answer: Any = None) -> Reply:
        """What is to be said of an answer to an exercise; noted in the workspace.

        Parameters
        ----------
        number
            From 1.
        answer
            What the question asks for; None where it asks to do something.
        """
        exercise = self._exercise(number)
        try:
            judged = exercise.check(self, answer)
        except VoxloopError as error:
            judged = Reply(right=False, words=f"{error}.")
        if not judged.right and not judged.hint:
            before = wrong_in_a_row(one for one in self.log.read() if one["exercise"] == number)[1]
            judged = Reply(right=False, words=judged.words, hint=exercise.hint(before + 1), noted=judged.noted)
        self.log.append(number, exercise.name, judged.right, judged.words, of=len(self.exercises), noted=judged.noted)
        return judged

    def noted(self, number: int) -> dict[str, Any]:
        """Facts kept of the newest right answer to an exercise; empty where there is none."""
        right = [one for one in self.log.read() if one["exercise"] == number and one["right"]]
        return dict(right[-1]["noted"]) if right else {}

    def assist(self, strokes: int = 24, *, prediction: Any = None, seed: int = 0) -> Any:
        """Have somebody who knows the truth paint, where a hand or time is lacking; the record says so.

        Takes and returns what :func:`voxloop.simulate` does; ``prediction``: corrections of it, else a first round.
        """
        from voxloop.review import simulate

        return simulate(self.ws, self.truth, prediction, strokes=strokes, seed=seed)

    def _exercise(self, number: int) -> Exercise:
        if type(number) is not int or not 1 <= number <= len(self.exercises):
            raise WorkspaceError(f"there is no exercise {number!r}; this lesson has 1 to {len(self.exercises)}")
        return self.exercises[number - 1]

    def _lines(self) -> list[tuple[bool, int, Exercise]]:
        done = solved(self.log.read())
        return [(number in done, number, exercise) for number, exercise in enumerate(self.exercises, 1)]

    def __repr__(self) -> str:
        lines = [f"{'x' if done else ' '} {number}. {one.name}: {one.question}" for done, number, one in self._lines()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        marks = {True: '<span style="color:#009e73">&#10004;</span>', False: "&#9675;"}
        rows = "".join(
            f"<tr><td>{marks[done]}</td><td>{number}</td><td {left}><b>{html.escape(one.name)}</b></td>"
            f"<td {left}>{html.escape(one.question)}</td></tr>"
            for done, number, one in self._lines()
        )
        return f"<table>{rows}</table>"
