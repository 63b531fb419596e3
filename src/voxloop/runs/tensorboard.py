"""A run's numbers for TensorBoard, beside its own log. TensorBoard is optional, and imported when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import RunError
from voxloop.runs.sinks import numbers

if TYPE_CHECKING:
    from voxloop.runs.events import Event


def _proto() -> tuple[Any, Any, Any]:
    try:
        from tensorboard.compat.proto.event_pb2 import Event as EventProto
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        raise RunError(
            f"TensorBoard is not installed ({error}): pip install tensorboard, or leave the setting tensorboard off"
        ) from error
    return EventProto, Summary, EventFileWriter


class TensorBoard:
    """Writes scalars and sample pictures into a folder: ``tensorboard --logdir RUNS`` shows all runs in it.

    Raises RunError where TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._event, self._summary, writer = _proto()
        self._run = folder.parent
        self._writer = writer(str(folder))

    def event(self, event: Event) -> None:
        """Take one event of the run; kinds that are no numbers are passed over."""
        step = int(event.get("iteration") or 0)
        if event["kind"] == "sample":
            self._picture(event, step)
        for tag, value in numbers(event):
            self._add(self._summary.Value(tag=tag, simple_value=value), step, event)

    def close(self) -> None:
        self._writer.close()

    def _picture(self, event: Event, step: int) -> None:
        path = self._run / str(event.get("path"))
        if path.is_file():
            picture = self._summary.Image(encoded_image_string=path.read_bytes())
            self._add(self._summary.Value(tag=f"sample {event.get('window', 0)}", image=picture), step, event)

    def _add(self, value: Any, step: int, event: Event) -> None:
        summary = self._summary(value=[value])
        self._writer.add_event(self._event(wall_time=event.get("time", 0.0), step=step, summary=summary))
