"""Hints in the hand: clicks, strokes and boxes are asked about, what comes of them is shown, Enter paints it.

Finds nothing itself: the process that makes the overlay does.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as w
import numpy as np

from voxloop.errors import LabelError
from voxloop.guides.hints import Hints
from voxloop.panels.base.panel import button, column, labelled, row, show, text
from voxloop.panels.base.work import Latest
from voxloop.panels.label.preview import MaskPreview
from voxloop.panels.label.tools import Call
from voxloop.panels.view.shapes import VectorShape
from voxloop.store.guided import FoundObject

if TYPE_CHECKING:
    from voxloop.panels.label.live_overlay import LiveOverlay
    from voxloop.panels.label.tool_box import ToolBox
    from voxloop.panels.label.tools import ToolState
    from voxloop.panels.view.ink import StrokePiece
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store import Edit, Labels
    from voxloop.workspace.workspace import Workspace

#: who finds an object, as the list says it; None: whoever can
_WAYS = {
    "live model, else edges": None,
    "edges": "edges",
    "random walk": "walker",
    "GrabCut": "grabcut",
    "two networks (ONNX)": "pair",
}
_WORDS = {
    "live": "the live model",
    "edges": "edges",
    "walker": "a random walk",
    "grabcut": "GrabCut",
    "pair": "the networks",
    "scissors": "edges",
}
#: colours of what was said to be inside and outside
_INSIDE, _OUTSIDE = "#ffffff", "#d55e00"
#: voxels that a stroke must reach to be more than a click
_CLICK = 2.0


class PointingOwner(Protocol):
    """The panel whose labels are painted."""

    ws: Workspace
    labels: Labels
    view: PlaneView
    state: ToolState
    tools: ToolBox
    live: LiveOverlay

    @property
    def color(self) -> str: ...
    def edit(self, call: Call) -> None: ...


@dataclass(frozen=True, slots=True)
class FoundCall(Call):
    """The line of Python that finds an object, and the object itself: it is painted as it was shown."""

    found: FoundObject | None = None

    def make(self, labels: Labels, *, joined: bool = False) -> Edit | None:
        assert self.found is not None
        how = {name: self.arguments[name] for name in ("value", "mode") if name in self.arguments}
        return labels.put(self.found, **how)


class Pointing:
    """Holds the hints of one object on one plane and what was found by them."""

    def __init__(self, owner: Any) -> None:
        self._owner: PointingOwner = owner
        self._preview: MaskPreview = owner.preview
        self._plane: tuple[str, int] | None = None
        self._hints: list[tuple[str, np.ndarray]] = []
        self._parts: dict[str, np.ndarray] = {}
        self._call: FoundCall | None = None
        self._line: list[Any] = []
        self._latest: Latest[dict[str, Any]] = Latest(owner, self._show, failed=self._failed)
        self._panel = owner
        self._ways = w.Dropdown(options=list(_WAYS), **labelled("Found by", "Shift F: the next one"))
        self._says = w.Dropdown(
            options=[("inside of it", False), ("outside of it", True)],
            **labelled("Clicks say", "The right button says the other one; Shift I"),
        )
        self._slices = w.BoundedIntText(
            0, min=0, max=256, **labelled("Slices", "To either side into which the object is followed")
        )
        self._networks = w.Text(
            placeholder="folder, or encoder.onnx; decoder.onnx",
            continuous_update=False,
            **labelled("Networks", "Of the family of Segment Anything: the folder of both files, or two paths"),
        )
        take = button("Paint", owner.handler(self.take), tooltip="Paint what is shown (Enter)")
        drop = button("Drop", owner.handler(self.drop), tooltip="Forget it (Esc)")
        self._words = text("", "vx-dim", "vx-small")
        owner.tools.add(
            "pointing",
            column(self._ways, self._networks, self._says, self._slices, row(take, drop), self._words),
        )
        show(self._networks, False)
        self._ways.observe(owner.handler(self._way_chosen), "value")
        self._slices.observe(owner.handler(self._ask), "value")
        self._networks.observe(owner.handler(self._ask), "value")
        self._says.observe(lambda change: owner.state.set_trait("against", change["new"]), "value")
        owner.state.observe(lambda change: setattr(self._says, "value", change["new"]), "against")
        self._tell()

    # --------------------------------------------------------------------------------------------------------- hints

    def stroke(self, piece: StrokePiece) -> int:
        """Take a stroke or a box, whole or in pieces; the number of the newest edit, for it makes none."""
        before = self._parts.pop(piece.id, None)
        points = piece.points if before is None else np.concatenate([before, piece.points[1:]])
        if not piece.last:
            self._parts[piece.id] = points
        else:
            self._owner.state.value = piece.value
            kind = "outside" if piece.options.get("against") else "inside"
            if np.ptp(points, axis=0).max() < _CLICK:
                points = points[:1]
            self._add("box" if piece.tool == "surround" else kind, points, piece.axis, piece.index)
        return self._owner.labels.sequence

    def anchor(self, message: dict[str, Any]) -> None:
        """Take a click of the scissors."""
        self._add("anchor", np.array([[message["row"], message["column"]]]), message["axis"], int(message["index"]))

    def _add(self, kind: str, points: np.ndarray, axis: str, index: int) -> None:
        scissors = kind == "anchor"
        if self._plane != (axis, index) or any((known == "anchor") != scissors for known, _ in self._hints):
            self.drop()
        self._plane = axis, index
        if kind == "box":
            self._hints = [one for one in self._hints if one[0] != "box"]
        rows, columns = (self._owner.labels.shape[i] for i, name in enumerate("zyx") if name != axis)
        inside = np.clip(np.asarray(points, float), 0, [rows - 1, columns - 1])
        self._hints.append((kind, np.round(inside, 1)))
        self._ask()

    def back(self) -> None:
        """Take the last hint back."""
        if len(self._hints) < 2:
            self.drop()
        else:
            self._hints.pop()
            self._ask()

    def choose_way(self, way: str | None) -> None:
        """Have objects found so; None: the next way in the list."""
        names = list(_WAYS)
        name = names[(names.index(self._ways.value) + 1) % len(names)]
        if way is not None:
            name = next(one for one, by in _WAYS.items() if by == way)
            self._owner.state.tool = "surround" if way == "grabcut" else "prompt"
        self._ways.value = name
        self._panel.say(f"Objects are found by: {name}", "quiet")

    def _way_chosen(self) -> None:
        show(self._networks, _WAYS[self._ways.value] == "pair")
        self._ask()

    # --------------------------------------------------------------------------------------------------- what is found

    def _ask(self) -> None:
        """Ask anew about all hints."""
        if self._plane is None or not self._hints:
            return
        call = self._as_call()
        owner, labels = self._owner, self._owner.labels
        self._draw()
        if call.arguments.get("by") == "pair" and "model" not in call.arguments:
            self._tell("name the two networks first: a folder with encoder and decoder")
            return
        if any(kind == "outside" for kind, _ in self._hints) and len(self._hints) == 1:
            self._tell("now click inside of it")
            return
        fields: dict[str, Any] = {"image": labels.image, "level": labels.level.name, "sequence": labels.sequence}
        for name in ("axis", "index", "by", "slices", "channel", "model"):
            if call.arguments.get(name) is not None:
                fields[name] = call.arguments[name]
        if call.verb == "scissors":
            fields |= {"by": "scissors", "hints": {"inside": [call.arguments["points"]]}}
            fields["closed"] = len(self._hints) > 2
        else:
            lines = ("positive", "negative", "box", "scribble", "against")
            size = tuple(n for i, n in enumerate(labels.shape) if "zyx"[i] != call.arguments["axis"])
            hints = Hints.of((size[0], size[1]), **{k: call.arguments[k] for k in lines if k in call.arguments})
            fields["hints"] = hints.to_json()
        path, source = owner.ws.path, owner.live.source()
        self._tell("looking …")
        self._latest.ask(lambda: {**_ask_of(source, path, fields), "call": call})

    def _as_call(self) -> Call:
        """The line of Python that says the same."""
        assert self._plane is not None
        axis, index = self._plane
        arguments: dict[str, Any] = {"axis": axis, "index": index}
        listed = {kind: [points for known, points in self._hints if known == kind] for kind, _ in self._hints}
        channel = self._owner.state.channel
        if channel not in (0, None):
            arguments["channel"] = channel
        if "anchor" in listed:
            return Call("scissors", {**arguments, "points": [_pair(one[0]) for one in listed["anchor"]]})
        for kind, clicks, lines in (("inside", "positive", "scribble"), ("outside", "negative", "against")):
            points = listed.get(kind, [])
            for name, some in (
                (clicks, [_pair(one[0]) for one in points if len(one) == 1]),
                (lines, [[_pair(place) for place in one] for one in points if len(one) > 1]),
            ):
                if some:
                    arguments[name] = some
        if "box" in listed:
            arguments["box"] = [_pair(one) for one in listed["box"][0][[0, -1]]]
        if self._slices.value:
            arguments["slices"] = self._slices.value
        way = _WAYS[self._ways.value]
        if way is not None:
            arguments["by"] = way
        if way == "pair" and self._networks.value.strip():
            paths = [path.strip() for path in self._networks.value.split(";")]
            arguments["model"] = paths[0] if len(paths) == 1 else tuple(paths)
        return Call("prompt", arguments)

    def _show(self, answer: dict[str, Any]) -> None:
        from voxloop.helper.pointing import unpacked

        if answer.get("state") == "dropped" or self._plane is None:
            return
        call: Call = answer["call"]
        slices = unpacked(answer)
        by, arguments = answer["by"], dict(call.arguments)
        if call.verb == "prompt":
            arguments["by"] = by
        found = FoundObject(call.verb, arguments, self._plane[0], slices)
        self._call = FoundCall(call.verb, arguments, found) if found.voxels else None
        self._line = answer.get("line") or []
        self._preview.show(found.axis, slices, self._owner.color)
        self._draw()
        on = f" on {len(slices)} slices" if len(slices) > 1 else ""
        if self._call is not None:
            words = f"{found.voxels:,} voxels{on} by {_WORDS[by]}, {answer['seconds']:.1f} s. Enter paints them."
        elif call.verb == "scissors":
            words = "Three anchors or more enclose something."
        else:
            words = f"Nothing found there by {_WORDS[by]}; click elsewhere, draw a box, or have it found otherwise."
        self._tell(words)

    def _failed(self, error: BaseException) -> None:
        self._call = None
        self._tell("")
        self._panel.show_error(error)

    def _draw(self) -> None:
        """Show the hints over the picture."""
        if self._plane is None:
            return
        axis, index = self._plane
        shapes = []
        for kind, points in self._hints:
            color = _OUTSIDE if kind == "outside" else _INSIDE
            corners = [_pair(place) for place in points]
            if kind == "box":
                shapes.append(VectorShape("box", [corners[0], corners[-1]], axis, index, color, dashed=True))
            elif len(corners) > 1:
                shapes.append(VectorShape("line", corners, axis, index, color, width=2.0))
            else:
                shapes.append(VectorShape("points", corners, axis, index, color))
        if self._line:
            shapes.append(VectorShape("line", [(one[0], one[1]) for one in self._line], axis, index, _INSIDE))
        self._owner.view.set_shapes(shapes)

    # ---------------------------------------------------------------------------------------------------- take or drop

    def take(self) -> None:
        """Paint what is shown with the class in the hand."""
        if self._call is None:
            raise LabelError("point at an object first: click on it, draw in it, or draw a box around it")
        state, call = self._owner.state, self._call
        arguments = {**call.arguments, "value": state.value, **({} if state.mode == "add" else {"mode": state.mode})}
        self._owner.edit(FoundCall(call.verb, arguments, call.found))
        self.drop()

    def drop(self) -> None:
        """Forget hints and what was found."""
        if self._plane is None:
            return
        self._plane, self._call, self._hints, self._line = None, None, [], []
        self._parts.clear()
        self._latest.forget()
        self._preview.clear()
        self._owner.view.set_shapes([])
        self._tell()

    def _tell(self, words: str = "Click on an object, draw in it, or draw a box around it.") -> None:
        self._words.value = html.escape(words)


def _pair(point: np.ndarray) -> tuple[float, float]:
    return round(float(point[0]), 1), round(float(point[1]), 1)


def _ask_of(source: Any, path: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """What hints point at, by whoever answers for the overlay; here, where that one answers nothing else."""
    answer = getattr(source, "point", None)
    if answer is not None:
        found: dict[str, Any] = answer(**fields)
        return found
    from voxloop.helper.pointing import ask_here

    return ask_here(path, fields)
