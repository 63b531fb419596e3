"""What keys over a picture in three dimensions ask for. An invisible part of it; knows no scene."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anywidget

from voxloop.panels.base.page import IN_PANEL, KEYBOARD


class SolidKeys(anywidget.AnyWidget):
    """Calls ``pressed(key, fine)`` with keys that turn and zoom; ``fine`` with Shift. It lies in a ``vx-solid`` box."""

    _esm = "\n".join([KEYBOARD, IN_PANEL, files(__package__).joinpath("solid_keys.js").read_text(encoding="utf-8")])

    def __init__(self, pressed: Callable[[str, bool], object], **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(lambda _, message, buffers: pressed(str(message.get("key")), bool(message.get("fine"))))
