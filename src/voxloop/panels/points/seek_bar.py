"""A bar over all frames: where one is, what is labelled, predicted, suggested, and a graph. Knows no points."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anywidget
import traitlets as t

from voxloop.panels.base.ui import UiLoop


class SeekBar(anywidget.AnyWidget):
    """``seek(frame)`` is called on the UI thread when somebody clicks, drags or presses a key on it."""

    _esm = files(__package__).joinpath("seek_bar.js").read_text(encoding="utf-8")

    count = t.Int(1).tag(sync=True)  # frames
    index = t.Int(0).tag(sync=True)
    columns = t.Int(1).tag(sync=True)  # in which marks and graph are counted
    labelled: t.List = t.List().tag(sync=True)
    predicted: t.List = t.List().tag(sync=True)
    suggested: t.List = t.List().tag(sync=True)
    graph: t.List = t.List().tag(sync=True)

    def __init__(self, seek: Callable[[int], object]) -> None:
        super().__init__()
        self._seek = seek
        self.on_msg(self._receive)

    def _receive(self, _: Any, message: dict[str, Any], buffers: list[Any]) -> None:
        if message.get("kind") == "seek":
            UiLoop.get().post(self._seek, int(message["index"]))
