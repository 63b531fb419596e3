"""What a plane view shares with its pages, and the scripts that draw it there. No behaviour of its own."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets
import traitlets as t

from voxloop.geometry import AXES
from voxloop.panels.base.page import KERNEL, KEYBOARD
from voxloop.panels.base.shared_script import LOADER, SharedScript, script_trait

#: joined into one module, in this order
_SCRIPTS = (
    "plane_camera.js", "plane_kept.js", "plane_frames.js", "plane_layers.js", "plane_ink.js", "plane_cursor.js",
    "plane_keys.js", "plane_controls.js", "plane_view.js",
)  # fmt: skip
#: the hand without a tool
LOOK: dict[str, Any] = {"name": "look", "draws": ""}


def _asset(*names: str) -> str:
    folder = files(__package__)
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


#: what all plane views of a page run
_SHARED = SharedScript(f"{KEYBOARD}\n{KERNEL}\n{_asset(*_SCRIPTS)}")


class PlaneWidget(anywidget.AnyWidget):
    """What is shared with the page. Values that the page changes come as messages, and are not sent back to it."""

    _esm = LOADER
    _css = _asset("plane_view.css")

    script = script_trait()
    geometry = t.Dict().tag(sync=True)
    axis = t.Enum(AXES, "z").tag(sync=True)
    index = t.Int(0).tag(sync=True)
    picture = t.Dict({"visible": True, "opacity": 1.0, "smooth": False, "channels": [0]}).tag(sync=True)
    contrast: t.List = t.List().tag(sync=True)
    layers: t.List = t.List().tag(sync=True)
    tool = t.Dict(LOOK).tag(sync=True)
    bindings: t.List = t.List().tag(sync=True)
    cursor: t.List = t.List(default_value=None, allow_none=True).tag(sync=True)
    camera = t.Dict(default_value=None, allow_none=True).tag(sync=True)
    height = t.Int(600).tag(sync=True)
    compact = t.Bool(False).tag(sync=True)
    linked = t.Enum(["", "off", "on"], "").tag(sync=True)
    overlay = t.Instance(ipywidgets.Widget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)
    place = t.Unicode("").tag(sync=True)  # of the labels that strokes are for; "": strokes outlive no kernel
    comm_name = t.Unicode("").tag(sync=True)  # by which the page asks a kernel whether it knows this widget
    overlay_box = t.Dict(default_value=None, allow_none=True).tag(sync=True)

    _from_page: frozenset[str] = frozenset()

    def __init__(self, **traits: Any) -> None:
        super().__init__(script=_SHARED.lend(self), **traits)
        self.comm_name = self.model_id or ""

    def close(self) -> None:
        """Take the view from all pages."""
        super().close()
        _SHARED.take_back(self)

    def take(self, **values: Any) -> None:
        """Set traits to what the page has already."""
        self._from_page = frozenset(values)
        try:
            for name, value in values.items():
                setattr(self, name, value)
        finally:
            self._from_page = frozenset()

    def _should_send_property(self, key: str, value: Any) -> bool:
        return key not in self._from_page and bool(super()._should_send_property(key, value))
