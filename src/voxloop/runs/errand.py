"""One question to a process of its own, for which whoever asks must not load what the answer takes.

The module that answers is run with ``python -m``; it reads the question as JSON from its standard input and writes one
line: :func:`serve` does both.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from voxloop.errors import VoxloopError
from voxloop.runs.process import spawn


class Errand:
    """A question under way: :meth:`wait` for the answer from a thread, :meth:`cancel` it from another.

    Parameters
    ----------
    module
        Dotted name of the module that answers.
    question
        JSON.
    """

    def __init__(self, module: str, question: dict[str, Any]) -> None:
        self._question = json.dumps(question)
        pipe = subprocess.PIPE
        self._process = spawn(["-m", module], detached=False, stdin=pipe, stdout=pipe, stderr=pipe)

    def wait(self, timeout: float, failure: type[VoxloopError], late: str, broken: str) -> dict[str, Any]:
        """The answer.

        Raises ``failure`` with the words of the other side where that refuses, with ``late`` after ``timeout`` seconds
        (the process is ended), and with ``broken`` and its last words where it gives no answer.
        """
        try:
            answer, log = self._process.communicate(self._question.encode(), timeout=timeout)
        except subprocess.TimeoutExpired:
            self.cancel()
            raise failure(late) from None
        try:
            reply: dict[str, Any] = json.loads(answer.strip().rpartition(b"\n")[2])
        except ValueError:
            last = log.decode(errors="replace").strip().rpartition("\n")[2] or f"exit code {self._process.returncode}"
            raise failure(f"{broken}: {last}") from None
        if "error" in reply:
            raise failure(reply["error"])
        return reply

    def cancel(self) -> None:
        """End it; :meth:`wait` raises. Safe to call at any time."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Read a question, and write what ``answer`` makes of it, or why it refuses."""
    try:
        reply = answer(json.load(sys.stdin))
    except VoxloopError as error:
        reply = {"error": str(error)}
    sys.stdout.write(json.dumps(reply) + "\n")
