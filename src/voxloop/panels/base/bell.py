"""What says that a run has ended: in JupyterLab, and by the browser where that is allowed. Knows no run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import anywidget

#: states of a run that has not ended
_AT_WORK = ("queued", "running", "stopping")
#: what became of a run, and whether that is bad news
_ENDED = {
    "finished": ("has finished", "good"),
    "stopped": ("was stopped and kept", "good"),
    "failed": ("has failed", "error"),
    "interrupted": ("ended without a word", "error"),
}


class Bell(anywidget.AnyWidget):
    """A button that allows the browser to notify, and the way to it."""

    _esm = files(__package__).joinpath("bell.js").read_text(encoding="utf-8")

    def ring(self, words: str, kind: str = "good") -> None:
        """Tell it, wherever somebody hears; ``kind``: ``"good"`` or ``"error"``."""
        self.send({"tell": {"words": words, "kind": kind}})


class EndedRuns:
    """Notices runs that end, from one look to the next."""

    def __init__(self) -> None:
        self._before: dict[str, str] = {}

    def follow(self, states: Mapping[str, str]) -> list[tuple[str, str]]:
        """Words on each run that was at work at the last look and is no more, with the kind of news.

        Parameters
        ----------
        states
            State of every run by name. What a person ordered to be paused or thrown away is no news.
        """
        news = []
        for name, state in states.items():
            if self._before.get(name) in _AT_WORK and state in _ENDED:
                words, kind = _ENDED[state]
                news.append((f"{name} {words}", kind))
        self._before = dict(states)
        return news
