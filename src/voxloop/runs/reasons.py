"""Why a run has nothing to show, and what to do about it, in words. Pure."""

from __future__ import annotations

from voxloop.runs.history import ALIVE, History

#: states from which a new process may take a run up
RESUMABLE = ("created", "paused", "stopped", "failed", "interrupted")


def instead(state: str) -> str:
    """What to do with a run in this state."""
    if state == "created":
        return "run.launch() starts it"
    return "run.resume() goes on" if state in RESUMABLE else "a new run with start_from= goes on from it"


def why(state: str, history: History) -> str:
    """Why there is nothing of a run, or not yet; what helps."""
    if state == "failed":
        return f": it failed ({history.error})"
    if state in ALIVE:
        return f" yet: it is {state}"
    return f": it is {state}" + ("; run.resume() goes on" if state in RESUMABLE else "")
