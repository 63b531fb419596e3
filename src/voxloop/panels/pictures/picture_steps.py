"""What was done in the grid, to be taken back and made again, whichever part of the workspace it changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: steps that are remembered
_KEPT = 200


@dataclass(frozen=True, slots=True)
class PictureStep:
    """How to take something back and make it again, and the code of both."""

    back: Callable[[], object]
    forth: Callable[[], object]
    code_back: str
    code_forth: str


class PictureSteps:
    """The steps of one panel; those before it was made are the catalogue's own."""

    def __init__(self) -> None:
        self._done: list[PictureStep] = []
        self._undone: list[PictureStep] = []

    def note(self, step: PictureStep) -> None:
        """Something was done."""
        self._done = [*self._done, step][-_KEPT:]
        self._undone = []

    def undo(self) -> PictureStep | None:
        """Take the last step back; None where there is none."""
        return self._move(self._done, self._undone, lambda step: step.back())

    def redo(self) -> PictureStep | None:
        """Make the step again that was taken back last."""
        return self._move(self._undone, self._done, lambda step: step.forth())

    @staticmethod
    def _move(
        source: list[PictureStep], target: list[PictureStep], act: Callable[[PictureStep], object]
    ) -> PictureStep | None:
        if not source:
            return None
        act(source[-1])  # what it raises leaves both as they are
        step = source.pop()
        target.append(step)
        return step
