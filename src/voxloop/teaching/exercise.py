"""A question of a lesson, and what is said of an answer. A value; knows no workspace and no file."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxloop.teaching.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is said of an answer.

    Attributes
    ----------
    right : whether it holds.
    words : what was found, without the truth.
    hint : how to go on; empty where it is right.
    noted : facts for later exercises, kept in the record.
    """

    right: bool
    words: str
    hint: str = ""
    noted: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{'Right' if self.right else 'Not yet'}: {self.words}{f' Hint: {self.hint}' if self.hint else ''}"

    def _repr_html_(self) -> str:
        color = "#009e73" if self.right else "#e69f00"
        hint = f"<div><b>Hint:</b> {html.escape(self.hint)}</div>" if self.hint else ""
        head = "Right" if self.right else "Not yet"
        return (
            f'<div style="border-left:4px solid {color};padding:4px 12px;margin:4px 0">'
            f"<b>{head}.</b> {html.escape(self.words)}{hint}</div>"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """One question.

    Attributes
    ----------
    name : a word or two.
    question : a sentence or two.
    check : called with the workshop and the answer (None where the answer is what was done in the workspace); a
        :class:`Reply`. A VoxloopError that it raises is said as a wrong answer.
    hints : what is said after the first, the second and every further wrong answer, unless the judgement says better.
    """

    name: str
    question: str
    check: Callable[[Workshop, Any], Reply]
    hints: Sequence[str] = ()

    def hint(self, wrong: int) -> str:
        """The hint after so many wrong answers, from 1."""
        return self.hints[min(wrong, len(self.hints)) - 1] if self.hints and wrong else ""
