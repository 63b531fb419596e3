"""The tools of the hand over points and boxes, and the keys of the panel. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxloop.panels.points.grip import Way


@dataclass(frozen=True, slots=True)
class MarkTool:
    """A tool: ``way`` is how it takes hold of what is there; None: it adds, or looks around."""

    name: str
    label: str
    icon: str
    key: str
    help: str
    way: Way | None = None


TOOLS: tuple[MarkTool, ...] = (
    MarkTool("look", "Look", "hand-paper-o", "l", "drag moves the picture, double click fits"),
    MarkTool("add", "Add", "plus", "i", "a click adds; a box is drawn from corner to corner"),
    MarkTool("node", "Move", "crosshairs", "d", "drag a node, a corner, or the inside for all of it", "node"),
    MarkTool("whole", "Whole", "arrows", "w", "drag all of an instance", "whole"),
    MarkTool("turn", "Turn", "repeat", "t", "drag an instance round its middle", "turn"),
)
BY_NAME = {tool.name: tool for tool in TOOLS}


def for_page(name: str) -> dict[str, Any]:
    """What the page needs of a tool."""
    draws = "" if name == "look" else "place"
    return {"name": name, "draws": draws, "erase": False, "trace": False, "paints": False, "color": "#ffe16b"} | {
        "radius": 0.0,
        "value": 0,
        "layer": "",
        "options": {},
    }


_PLACED = (
    ("x", "delete what is chosen", "delete"),
    ("delete", "", "delete"),
    ("backspace", "", "delete"),
    ("y", "accept the chosen prediction (or double click it)", "accept"),
    ("shift+y", "accept all predictions of the frame", "accept all"),
    ("g", "choose the next instance", "choose"),
    ("o", "hide or show the node that was taken last", "hide"),
    ("c", "copy all instances of the frame before", "copy"),
    ("e", "say that the frame is empty, or not", "empty"),
)
_TRACKS = (
    ("s", "swap the chosen track and the other from here on", "swap"),
    ("u", "join the other track to the chosen one", "join"),
    ("b", "split the chosen track: from here on a new one", "split"),
    ("shift+x", "delete the chosen track from here on", "delete on"),
    ("q", "next likely mistake of tracks", "mistake"),
)
_EVERYWHERE = (
    ("ctrl+z", "undo", "undo"),
    ("ctrl+shift+z", "redo", "redo"),
    ("ctrl+y", "", "redo"),
)
_FRAMES = (
    ("p", "play and stop", "play"),
    ("m", "next labelled frame", "next labelled"),
    ("shift+m", "labelled frame before", "labelled before"),
    ("n", "next suggested or unlabelled frame", "next"),
)


def bindings(kind: str, classes: Sequence[Any], *, framed: bool) -> list[dict[str, Any]]:
    """Keys of the tools, the classes and the rest, for the view and its list of keys."""
    keys: list[dict[str, Any]] = []
    if kind != "pictures":
        keys += [
            {
                "key": tool.key,
                "group": "Tools",
                "label": f"{tool.label.lower()}: {tool.help}",
                "set": for_page(tool.name),
            }
            for tool in TOOLS
        ]
        keys += [{"key": key, "group": "Instances", "label": label, "action": does} for key, label, does in _PLACED]
    else:
        keys.append({"key": "x", "group": "Classes", "label": "no class for this frame", "action": "delete"})
    for item in classes:
        if item.shortcut:
            does = f"class {item.value}"
            keys.append({"key": item.shortcut, "group": "Classes", "label": item.name, "action": does})
    if framed and kind != "pictures":
        keys += [{"key": key, "group": "Tracks", "label": label, "action": does} for key, label, does in _TRACKS]
    if framed:
        keys += [{"key": key, "group": "Frames", "label": label, "action": does} for key, label, does in _FRAMES]
    return keys + [{"key": key, "group": "Edits", "label": label, "action": does} for key, label, does in _EVERYWHERE]
