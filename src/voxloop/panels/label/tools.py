"""The tools of the hand: what each is called, its key, and the line of Python a stroke or click becomes. No widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from voxloop.geometry import AXES
from voxloop.panels.view.ink import StrokePiece
from voxloop.store.shaping import MODES
from voxloop.store.units import UNITS

if TYPE_CHECKING:
    from voxloop.store import Edit, Labels


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: ``draws`` is what the pointer makes with it ("line", "area", "span" or nothing: a click)."""

    name: str
    label: str
    icon: str
    key: str
    help: str
    draws: str = ""
    settings: frozenset[str] = frozenset()
    hints: bool = False  # what it makes is shown first, and painted by Enter


_BRUSH = frozenset({"radius", "ball", "pressure", "unit"})
_RANGE = frozenset({"radius", "ball", "pressure", "range"})
_SHAPE = frozenset({"mode", "unit"})
_SELECTS = frozenset({"selecting", "mode"})
_POINTS = frozenset({"pointing", "mode"})
#: tools whose stroke is one shape, never painted in pieces
SHAPES = ("polygon", "box", "ellipse")
TOOLS: tuple[Tool, ...] = (
    Tool("look", "Look", "hand-paper-o", "l", "drag moves, double click fits"),
    Tool("brush", "Brush", "paint-brush", "b", "paint with the chosen class", "line", _BRUSH),
    Tool("erase", "Eraser", "eraser", "e", "make voxels unlabelled again", "line", _BRUSH),
    Tool("polygon", "Polygon", "pencil-square-o", "p", "corners, or draw around; Enter", "area", _SHAPE),
    Tool("box", "Box", "square-o", "r", "from corner to corner", "span", _SHAPE),
    Tool("ellipse", "Ellipse", "circle-o", "i", "from corner to corner", "span", _SHAPE),
    Tool("fill", "Fill", "tint", "g", "fill connected voxels that are alike", "", frozenset({"fill"})),
    Tool("threshold", "Threshold", "adjust", "t", "paint a range of intensities", "line", _RANGE),
    Tool("prompt", "Object", "magic", "w", "click or draw in it; right button: outside; Enter", "line", _POINTS, True),
    Tool("surround", "Box around", "object-ungroup", "shift+w", "an object; Enter", "span", _POINTS, True),
    Tool("scissors", "Scissors", "cut", "z", "click along an outline; Enter", "", _POINTS, True),
    Tool("select", "Selection", "arrows", "s", "drag, or click an object; move, turn, scale", "place", _SELECTS, True),
    Tool("objects", "Pick objects", "object-group", "q", "click selects objects, beside them lets go"),
    Tool("cut", "Cut object", "chain-broken", "shift+q", "a line through an object cuts it in two", "line"),
    Tool("seeds", "Seeds", "crosshairs", "shift+s", "click two parts of an object: it is cut between them"),
)
#: tools for levels of single objects
OF_OBJECTS = ("objects", "cut", "seeds")
#: tools that have no use for the class in the hand
_PLAIN = ("look", "erase", *OF_OBJECTS)
#: of what is painted on a level of single objects
OBJECT_COLOR = "#56b4e9"
BY_NAME = {tool.name: tool for tool in TOOLS}


class ToolState(t.HasTraits):
    """What is in the hand."""

    tool = t.Enum([tool.name for tool in TOOLS], "brush")
    radius = t.Float(6.0, min=0.0, max=200.0)
    value = t.Int(1, min=0)
    ball = t.Bool(False)
    against = t.Bool(False)  # whether clicks on an object say what lies outside of it
    pressure = t.Bool(False)  # whether a pen that is pressed harder paints wider
    fill_by = t.Enum(["labels", "image"], "image")
    tolerance = t.Float(None, min=0.0, allow_none=True)  # None: from the noise around the click
    fill_volume = t.Bool(False)
    mode = t.Enum(list(MODES), "add")
    low = t.Float(0.0)
    high = t.Float(1.0)
    unit = t.Enum(list(UNITS), "voxels")
    supervoxels = t.Dict()  # how they are made, where it is not as usual
    channel = t.Any(0)  # that threshold and fill go by: of the image by number, or of the workspace by name
    layer = t.Unicode("labels")  # what is painted on

    @property
    def options(self) -> dict[str, Any]:
        """What travels with a stroke or click, so that it means what it meant when it was begun."""
        return {
            "ball": self.ball,
            "pressure": self.pressure,
            "fill_by": self.fill_by,
            "tolerance": self.tolerance,
            "fill_volume": self.fill_volume,
            "low": self.low,
            "high": self.high,
            "mode": self.mode,
            "channel": self.channel,
            "against": self.against,
            **({"unit": self.unit, "supervoxels": self.supervoxels} if self.unit != "voxels" else {}),
        }


@dataclass(frozen=True, slots=True)
class Call:
    """One verb of the label store with its arguments: can be made, and can be written down."""

    verb: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def make(self, labels: Labels, *, joined: bool = False) -> Edit | None:
        """Make the edit. Raises what the store raises."""
        more = {"joined": True} if joined else {}
        edit: Edit | None = getattr(labels, self.verb)(**self.arguments, **more)
        return edit

    def code(self, labels: str = "lab") -> str:
        """The line of Python that does the same."""
        return f"{labels}.{self.verb}({', '.join(f'{name}={_written(v)}' for name, v in self.arguments.items())})"


def stroke_call(piece: StrokePiece) -> Call:
    """What a stroke, or a piece of one, does to the labels."""
    place = {"axis": piece.axis, "index": piece.index, "points": piece.points}
    if piece.tool in SHAPES:
        mode = piece.options.get("mode", "add")
        shape = {**place, "value": piece.value, **({} if mode == "add" else {"mode": mode})}
        return Call(piece.tool, shape | _unit(piece.options))
    brush = {**place, "radius": piece.radius}
    if piece.options.get("ball"):
        brush["depth"] = True
    if piece.tool == "erase":
        return Call("erase", brush | _unit(piece.options))
    if piece.tool == "threshold":
        limits = {"low": float(piece.options["low"]), "high": float(piece.options["high"])}
        return Call("threshold", {**brush, "value": piece.value, **limits, **_channel(piece.options)})
    return Call("paint", {**brush, "value": piece.value, **_unit(piece.options)})


def fill_call(message: dict[str, Any]) -> Call:
    """What a click with the fill tool does."""
    options = message.get("options") or {}
    by = options.get("fill_by", "labels")
    arguments: dict[str, Any] = {
        "axis": message["axis"],
        "index": int(message["index"]),
        "point": (round(message["row"]), round(message["column"])),
        "value": int(message["value"]),
        "by": by,
    }
    if by == "image":
        arguments |= _channel(options)
        if options.get("tolerance") is not None:
            arguments["tolerance"] = float(options["tolerance"])
    if options.get("fill_volume"):
        arguments["volume"] = True
    return Call("fill", arguments)


def _unit(options: Mapping[str, Any]) -> dict[str, Any]:
    """What an edit is made of, where it is not voxels."""
    if options.get("unit", "voxels") == "voxels":
        return {}
    settings = options.get("supervoxels")
    return {"unit": options["unit"], **({"supervoxels": settings} if settings else {})}


def _channel(options: Mapping[str, Any]) -> dict[str, Any]:
    """The channel whose intensities a tool goes by, where it is not the image's first."""
    channel = options.get("channel", 0)
    return {} if channel == 0 else {"channel": channel}


def voxel_of(message: dict[str, Any]) -> tuple[int, int, int]:
    """The voxel (z, y, x) that a click hit."""
    place = [round(message["row"]), round(message["column"])]
    place.insert(AXES.index(message["axis"]), int(message["index"]))
    return place[0], place[1], place[2]


def hand(state: ToolState, color: str, *, name: str | None = None) -> dict[str, Any]:
    """What the page needs of a tool: how it draws, and what comes back with a stroke."""
    tool = BY_NAME[name or state.tool]
    return {
        "name": tool.name,
        "draws": tool.draws,
        "erase": tool.name == "erase",
        "trace": tool.name == "threshold",
        "paints": tool.name not in _PLAIN,
        "hints": tool.hints,
        "thin": tool.name in ("prompt", "cut"),
        "radius": state.radius,
        "value": state.value,
        "color": color,
        "layer": state.layer,
        "options": state.options,
    }


def bindings(state: ToolState, classes: Sequence[Any], *, objects: bool = False) -> list[dict[str, Any]]:
    """Keys of the tools, of the classes and of what else the label panel does, for the view and its list of keys.

    ``set`` takes effect in the page at once, ``otherwise`` as well where the tool in the hand does not paint;
    ``action`` is for the kernel. ``objects``: a level of single objects instead of classes.
    """
    how = ("name", "draws", "erase", "trace", "paints", "hints", "thin")
    patches = {tool.name: {key: hand(state, "", name=tool.name)[key] for key in how} for tool in TOOLS}
    keys: list[dict[str, Any]] = [
        {"key": tool.key, "group": "Tools", "label": f"{tool.label.lower()}: {tool.help}", "set": patches[tool.name]}
        for tool in TOOLS
        if objects or tool.name not in OF_OBJECTS
    ]
    keys += [
        {"key": "[", "shown": "[  ]", "group": "Tools", "label": "smaller, larger brush (or Alt wheel)"},
        {"key": "alt+click", "shown": "Alt click", "group": "Tools", "label": "pick the class under the pointer"},
        {"key": "d", "group": "Tools", "label": "ball brush, across slices, on and off", "action": "ball"},
        {"key": "shift+u", "group": "Tools", "label": "strokes of voxels, or of whole supervoxels", "action": "unit"},
    ]
    keys += [
        {
            "key": item.shortcut,
            "group": "Classes",
            "label": item.name,
            "set": {"value": item.value, "color": item.color},
            "otherwise": patches["brush"],
        }
        for item in classes
        if item.shortcut
    ]
    more = [
        ("ctrl+z", "undo", "undo"),
        ("ctrl+shift+z", "redo", "redo"),
        ("ctrl+y", "", "redo"),
        ("c", "copy the labels of the slice before", "copy"),
        ("shift+c", "copy this slice, or the selection, to the next one", "copy on"),
        ("m", "interpolate between painted slices", "interpolate"),
        ("o", "live overlay on and off", "overlay"),
        (" ", "next place to paint (tap; held, it moves)", "place"),
        ("x", "another place than this", "skip"),
        ("n", "next place to correct", "next"),
        ("y", "accept what the overlay says there", "accept"),
        ("u", "the other levels on and off", "levels"),
        ("shift+d", "next difference or conflict (Shift E: before)", "difference"),
        ("shift+e", "", "difference before"),
        ("shift+a", "", "conflict mine"),
        ("shift+t", "", "conflict theirs"),
    ]
    keys += hint_bindings()
    if objects:  # X has been the key of objects for longer
        more = [("shift+x" if action == "skip" else key, label, action) for key, label, action in more]
        more.append(("x", "paint a new object", "new"))
        more += [
            ("shift+m", "merge the selected objects", "object-merge"),
            ("delete", "remove the selected objects", "object-remove"),
            ("shift+l", "lock the selected objects, or unlock them", "object-lock"),
            ("shift+n", "next object that is not locked", "object-next"),
        ]
    keys += [{"key": key, "group": "Labels", "label": label, "action": action} for key, label, action in more]
    return keys + [{"key": "", "shown": name, "group": "In the column", "label": label} for name, label in _ELSEWHERE]


#: what has no key: where it is, and what for
_ELSEWHERE = (
    ("Shapes", "dilate, erode, open, close, fill holes, smooth, drop small parts; label a range of intensities"),
    ("Copy further", "a slice or selection to several slices, to another image"),
    ("Regions", "draw, name, work only inside of one"),
    ("Two labelings", "table of two levels, predictions, masks or authors, where they differ"),
    ("People", "who edited what; a copy taken in (Shift A: mine, Shift T: theirs)"),
    ("Layers", "order, opacity and outlines of levels (above the picture)"),
    ("Picture", "paint on a channel, lay one over (made in the step Channels)"),
    ("Pencil", "name of the level, and what it lies inside of"),
)


def hint_bindings() -> list[dict[str, Any]]:
    """Keys of the tools that show first what Enter will paint; ``needs``: one of them must be in the hand."""
    listed = [
        ("enter", "", "paint what is shown (with a keyboard cursor: Shift Enter)", "take", True),
        ("shift+enter", None, "", "take", True),
        ("escape", "Esc", "drop what is shown", "drop", True),
        ("backspace", "", "take the last click back", "back", True),
        ("shift+r", "", "object by strokes: a random walk finds it", "by walker", False),
        ("shift+g", "", "object in a box: GrabCut finds it", "by grabcut", False),
        ("shift+f", "", "object: who finds it, in turn", "by next", False),
        ("shift+i", "", "clicks say inside, outside", "against", False),
    ]
    selection = [
        ("[", "[  ]", "selection: smaller, larger", "smaller", True),
        ("]", None, "", "larger", True),
        ("{", "{  }", "selection: turn it", "turn back", True),
        ("}", None, "", "turn", True),
        ("alt+arrowup", "Alt arrows", "selection: move it", "up", True),
        *((f"alt+arrow{way}", None, "", way, True) for way in ("down", "left", "right")),
    ]
    out = []
    for key, seen, label, action, needs in listed + selection:
        one: dict[str, Any] = {"key": key, "group": "Objects and selections", "action": f"hint {action}"}
        one |= {"label": "" if seen is None else label, **({"shown": seen} if seen else {})}
        out.append({**one, "needs": "hints"} if needs else one)
    return out


def _written(value: Any) -> str:
    if isinstance(value, np.ndarray):
        pairs = ", ".join(f"({row:g}, {column:g})" for row, column in np.round(value.astype(float), 1).tolist())
        return f"[{pairs}]"
    if isinstance(value, float):
        return f"{value:g}"
    return repr(value)
