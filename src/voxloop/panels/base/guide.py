"""Five steps that a newcomer takes, in one line above the panels; follows what was really done. Knows no workspace."""

from __future__ import annotations

import contextlib
import html
from dataclasses import dataclass

from voxloop.panels.base.panel import Panel, button, row, show, spacer, text
from voxloop.panels.base.state_folder import replace_file, state_folder

STEPS = 5
_CLOSED = "guide-closed"
#: steps that are made in the picture that is painted
_IN_LABEL = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class GuideProgress:
    """What was done: an image opened, classes painted, unsure places looked at, models trained, pictures predicted.

    ``missing`` is the class to paint next, as ``("mitochondria", "2")``: its name and its key. ``labelling``: the
    picture that is painted is on show, so that keys of classes go there.
    """

    opened: bool = False
    painted: int = 0
    looked: bool = False
    trained: bool = False
    predicted: bool = False
    missing: tuple[str, str] = ("", "")
    labelling: bool = True

    @property
    def step(self) -> int:
        """Steps that are behind: 0 to 5. What comes later counts for what comes before it."""
        done = (self.opened, self.painted > 0, self.painted > 1, self.looked, self.predicted)
        behind = 0
        for number, one in enumerate(done, 1):
            if one:
                behind = number
        if self.trained:
            behind = max(behind, 4)
        return behind if self.opened else 0


class Guide:
    """One line: how far one is, what to do next, and a cross that closes it for good.

    Parameters
    ----------
    panel
        Whose part it is.
    wanted
        Show it, or not; None: unless this user closed it.
    """

    def __init__(self, panel: Panel, wanted: bool | None = None) -> None:
        self._shown = not closed_for_good() if wanted is None else wanted
        self._behind: int | None = None
        self._words = text("", "vx-guide-words")
        about = "Close the guide for good; vl.Workbench(guide=True) shows it again"
        cross = button("", panel.handler(self.close), icon="times", tooltip=about, kind="link")
        self.widget = row(self._words, spacer(), cross, classes=["vx-guide"])
        show(self.widget, False)

    @property
    def wanted(self) -> bool:
        """Whether anybody looks at it."""
        return self._shown

    def follow(self, progress: GuideProgress) -> None:
        """Say what comes next. Whoever was through when the guide was first asked needs none."""
        if self._behind is None and progress.step == STEPS:
            self._shown = False
        self._behind = progress.step
        show(self.widget, self._shown)
        if not self._shown:
            return
        dots = "●" * progress.step + "○" * (STEPS - progress.step)
        at = f"step {progress.step + 1} of {STEPS}" if progress.step < STEPS else "done"
        mark = f'<span class="vx-guide-dots" role="img" aria-label="Guide, {at}">{dots}</span>'
        words = f"{mark} {html.escape(next_words(progress))}"
        if words != self._words.value:
            self._words.value = words

    def close(self) -> None:
        """Hide it, here and in every later session."""
        self._shown = False
        show(self.widget, False)
        with contextlib.suppress(OSError):
            replace_file(state_folder() / _CLOSED, b"")


def next_words(progress: GuideProgress) -> str:
    """What to do next, in one line."""
    name, key = progress.missing
    press = f"press {key} for {name}, then drag over it in the picture" if key else "drag over it in the picture"
    lines: dict[int, str] = {
        0: "Open a picture: click a file or a sample, then Create workspace.",
        1: f"Paint a short stroke of one class: {press}.",
        2: f"Paint a second class: {press}. An overlay then says what the rest is.",
        3: "Look where it is unsure: N goes there. Correct it with a stroke, or accept it with Y.",
        4: "Train keeps what it learnt as a model.",
        5: "That was the loop. Review says how good it is and where to correct next.",
    }
    if progress.step == 4 and progress.trained:
        return "Predict applies the model to the whole picture."
    if progress.step in _IN_LABEL and not progress.labelling:
        return f"In Label: {lines[progress.step]}"
    return lines[progress.step]


def closed_for_good() -> bool:
    """Whether this user closed the guide."""
    try:
        return (state_folder() / _CLOSED).exists()
    except OSError:
        return False
