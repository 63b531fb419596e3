"""The hand at a picture: what the page sends when somebody looks around, paints, clicks, presses keys."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from tests.panels.screen import Screen, send

_HELD = ("radius", "value", "layer", "options")


class Hand:
    """One page that shows the picture of a panel; after everything it does, time passes."""

    def __init__(self, panel: Any) -> None:
        self.panel, self.strokes = panel, 0

    def send(self, kind: str, buffers: Any = (), **fields: Any) -> None:
        """Send a message as it is."""
        send(self.panel.view.widget, {"view": "v", "kind": kind, **fields}, buffers)
        Screen(self.panel).wait()

    def look(self, box: Any, axis: str = "z", zoom: float = 1.0) -> None:
        """Move the camera to this box of the plane (top, left, bottom, right in voxel edges)."""
        top, left, bottom, right = box
        camera = {"axis": axis, "y": (top + bottom) / 2, "x": (left + right) / 2, "zoom": zoom, "fit": True}
        self.send("camera", camera=camera, box=list(box), width=right - left, height=bottom - top)

    def stroke(self, *points: Any, index: int = 3, axis: str = "z", parts: int = 1, **tool: Any) -> None:
        """Draw with the tool in the hand, or another one, in one message or several."""
        self.strokes += 1
        tool = {**self.panel.view.tool, **tool}
        told = {"id": f"s{self.strokes}", "tool": tool["name"], "axis": axis, "index": index}
        told |= {key: tool[key] for key in _HELD}
        array = np.asarray(points, np.float32)
        edges = [round(i * len(array) / parts) for i in range(parts + 1)]
        for first, stop in pairwise(edges):
            part = memoryview(array[first:stop].tobytes())
            self.send("stroke", [part], first=first, last=stop == len(array), **told)

    def click(self, tool: str, row: float, column: float, index: int = 3) -> None:
        """Click at a voxel."""
        held = {key: self.panel.view.tool[key] for key in _HELD}
        self.send("click", tool=tool, axis="z", index=index, row=row, column=column, **held)

    def press(self, key: str) -> None:
        """Press a key that the panel gave the picture: what it sets in the page, and what it asks the kernel for."""
        (binding,) = [one for one in self.panel.view.widget.bindings if one["key"] == key]
        patch = {**binding.get("set", {})}
        if "otherwise" in binding and not self.panel.view.tool.get("paints"):
            patch = {**binding["otherwise"], **patch}
        if patch:
            self.send("tool", patch=patch)
        if "action" in binding:
            self.send("action", name=binding["action"], point=[3.0, 10.0, 10.0])
