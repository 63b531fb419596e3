"""``python -m voxloop.helper WORKSPACE``: answers requests on its standard input until that closes. Knows no learner.

One thread reads, one works. Nothing is written in the workspace. The process ends when its input closes, which is also
how it learns that its parent was killed, and when nobody asked anything for a while.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from voxloop.errors import RunError, VoxloopError
from voxloop.helper.handlers import Dropped, Job, handler
from voxloop.helper.jobs import Lanes, Request
from voxloop.helper.messages import Sender, receive
from voxloop.helper.planes import Planes

IDLE_SECONDS = 15 * 60.0


def main(arguments: list[str]) -> int:
    """Serve until the input closes; 0, or 2 where the arguments make no sense."""
    if not 1 <= len(arguments) <= 2:
        sys.stderr.write("usage: python -m voxloop.helper WORKSPACE [IDLE_SECONDS]\n")
        return 2
    idle = float(arguments[1]) if len(arguments) == 2 else IDLE_SECONDS
    # an interrupt is meant for a running cell, never for this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not fall between the messages
    lanes, sender = Lanes(), Sender(answers)
    threading.Thread(target=_listen, args=(requests, lanes, sender), daemon=True, name="listen").start()
    _work(Path(arguments[0]), lanes, sender, idle)
    return 0


def _listen(stream: BinaryIO, lanes: Lanes, sender: Sender) -> None:
    while (message := receive(stream)) is not None:
        if "cancel" in message:
            obsolete = lanes.cancel(str(message["cancel"]), int(message["generation"]))
        else:
            obsolete = lanes.put(Request(**message))
        if obsolete is not None:
            sender.send({"number": obsolete.number, "done": {"state": "dropped"}})
    # the parent has gone, or wants us to: nothing here is worth finishing
    os._exit(0)


def _work(workspace: Path, lanes: Lanes, sender: Sender, idle: float) -> None:
    state: dict[str, Any] = {}
    while (request := lanes.take(idle)) is not None:
        answer = _answer(workspace, request, lanes, sender, state)
        sender.send({"number": request.number, "done": answer})


def _answer(workspace: Path, request: Request, lanes: Lanes, sender: Sender, state: dict[str, Any]) -> dict[str, Any]:
    planes: Planes | None = None
    fields = dict(request.fields)
    try:
        if shared := fields.pop("planes", None):
            planes = Planes.attach(shared["name"], (shared["shape"][0], shared["shape"][1]))
        job = Job(
            workspace,
            fields,
            state,
            stale=lambda: lanes.stale(request),
            tell=lambda message: sender.send({"number": request.number, **message}),
            planes=planes,
        )
        if request.kind == "forget":
            state.clear()
            return {"state": "done"}
        job.check()
        return {"state": "done", **handler(request.kind)(job)}
    except (Dropped, FileNotFoundError) as gone:
        if isinstance(gone, FileNotFoundError) and planes is not None:
            return _fail(gone)
        return {"state": "dropped"}
    except Exception as error:
        return _fail(error)
    finally:
        if planes is not None:
            planes.close()


def _fail(error: Exception) -> dict[str, Any]:
    if not isinstance(error, VoxloopError):
        traceback.print_exc()
        error = RunError(f"the helper could not answer: {type(error).__name__}: {error}")
    return {"state": "failed", "error": type(error).__name__, "message": str(error)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
