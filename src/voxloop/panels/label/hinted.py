"""The tools that show first what Enter will paint: which of them a stroke, a click or a key is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voxloop.panels.label.pointing import Pointing
from voxloop.panels.label.selecting import Selecting
from voxloop.panels.label.tools import BY_NAME

if TYPE_CHECKING:
    from voxloop.panels.view.ink import StrokePiece


class HintedTools:
    """Hands on what the page says to :class:`Pointing` or :class:`Selecting`."""

    def __init__(self, panel: Any) -> None:
        self._panel = panel
        self.pointing = Pointing(panel)
        self.selecting = Selecting(panel)

    def take(self, piece: StrokePiece) -> int | None:
        """Take a stroke that is a hint; None where it is none and paints."""
        return self.pointing.stroke(piece) if piece.tool in ("prompt", "surround") else None

    def click(self, message: dict[str, Any]) -> None:
        """Take a click, where it is for one of these tools."""
        if message["tool"] == "scissors":
            self.pointing.anchor(message)
        elif message["tool"] == "select":
            self.selecting.point(message)

    def actions(self) -> dict[str, Callable[[], object]]:
        """What keys of the page do."""
        state, pointing, selecting = self._panel.state, self.pointing, self.selecting
        hand: Any = selecting if state.tool == "select" else pointing
        moves = ("up", "down", "left", "right", "turn", "turn back", "larger", "smaller")
        mine: dict[str, Callable[[], object]] = {
            "take": hand.take,
            "drop": hand.drop,
            "back": selecting.drop if hand is selecting else pointing.back,
            "by walker": lambda: pointing.choose_way("walker"),
            "by grabcut": lambda: pointing.choose_way("grabcut"),
            "by next": lambda: pointing.choose_way(None),
            "against": lambda: state.set_trait("against", not state.against),
            **{name: (lambda name=name: selecting.change(name)) for name in moves},  # type: ignore[misc]
        }
        return {f"hint {name}": act for name, act in mine.items()}

    def drop(self) -> None:
        """Forget all hints: there are other labels now."""
        self.pointing.drop()
        self.selecting.drop()

    def leave(self, tool: str) -> None:
        """The hand took another tool."""
        if not BY_NAME[tool].hints:
            self.drop()
        elif tool == "select":
            self.pointing.drop()
        else:
            self.selecting.drop()
