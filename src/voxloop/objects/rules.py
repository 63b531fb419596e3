"""Rules on measures, such as ``volume_um3 > 2 and sphericity < 0.6``: read by a small parser, never run as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from voxloop.errors import PredictionError, unknown
from voxloop.given import shown

#: a rule is a line
_LONGEST = 1000
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: np.float_power,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"abs": np.abs, "sqrt": np.sqrt, "log": np.log, "log10": np.log10}
_ALLOWED = "measures, numbers, < <= > >= == !=, and, or, not, + - * / **, brackets, abs, sqrt, log, log10"


class MeasureRule:
    """A condition on the measures of objects.

    Parameters
    ----------
    text
        For example ``"volume_um3 > 2 and sphericity < 0.6"``; chains such as ``1 < mean < 3`` are fine.

    Raises
    ------
    PredictionError
        The text is no rule.
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not text.strip():
            raise PredictionError(
                f"rule={shown(text)} is no rule; write one such as volume_um3 > 2 and sphericity < 0.6"
            )
        if len(text) > _LONGEST:
            raise PredictionError(f"a rule has {_LONGEST} characters at most, this one {len(text)}")
        self.text = text.strip()
        try:
            self._tree = ast.parse(self.text, mode="eval").body
            self._check(self._tree)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
            raise PredictionError(f"{shown(self.text)} is no rule; it may hold {_ALLOWED}") from None

    @property
    def names(self) -> set[str]:
        """The measures that it speaks of."""
        found = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}
        return found - _FUNCTIONS.keys()

    def holds(self, table: Mapping[str, Any]) -> np.ndarray:
        """Which rows of a table of measures it holds for: bool. Raises PredictionError for an unknown measure."""
        self.check_names(list(table))
        with np.errstate(all="ignore"):
            out = np.asarray(self._value(self._tree, table))
        if out.dtype != bool:
            raise PredictionError(f"{shown(self.text)} compares nothing; write one such as volume_um3 > 2")
        some = next(iter(self.names), None)
        return out if some is None else np.broadcast_to(out, np.shape(np.asarray(table[some])))

    def check_names(self, known: Iterable[str]) -> None:
        """Raise PredictionError where it speaks of a measure that is not known."""
        known = list(known)
        for name in sorted(self.names):
            if name not in known:
                raise PredictionError(unknown("measure", name, known))

    def _check(self, node: ast.AST) -> None:
        """Raise ValueError where a part is none that a rule may hold."""
        match node:
            case ast.Compare(ops=operators, left=left, comparators=others):
                if not all(type(one) in _COMPARE for one in operators):
                    raise ValueError
                parts = [left, *others]
            case ast.BoolOp(values=values):
                parts = values
            case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
                parts = [operand]
            case ast.BinOp(op=how, left=left, right=right) if type(how) in _ARITHMETIC:
                parts = [left, right]
            case ast.Call(func=ast.Name(id=name), args=[one], keywords=[]) if name in _FUNCTIONS:
                parts = [one]
            case ast.Constant(value=value) if isinstance(value, int | float | bool):
                float(value)  # an endless whole number is none
                parts = []
            case ast.Name():
                parts = []
            case _:
                raise ValueError
        for part in parts:
            self._check(part)

    def _value(self, node: ast.AST, table: Mapping[str, Any]) -> Any:
        match node:
            case ast.Compare(left=left, ops=operators, comparators=others):
                values = [self._value(one, table) for one in (left, *others)]
                out: Any = True
                for how, one, other in zip(operators, values[:-1], values[1:], strict=True):
                    out = out & _COMPARE[type(how)](one, other)
                return out
            case ast.BoolOp(op=how, values=parts):
                sides = [self._truth(one, table) for one in parts]
                return reduce(np.logical_and if isinstance(how, ast.And) else np.logical_or, sides)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self._truth(operand, table)
            case ast.UnaryOp(op=how, operand=operand):
                value = self._value(operand, table)
                return -value if isinstance(how, ast.USub) else value
            case ast.BinOp(op=how, left=left, right=right):
                return _ARITHMETIC[type(how)](self._value(left, table), self._value(right, table))
            case ast.Call(func=ast.Name(id=name), args=[one]):
                return _FUNCTIONS[name](self._value(one, table))
            case ast.Name(id=name):
                return np.asarray(table[name])
            case ast.Constant(value=value):
                return np.asarray(value if isinstance(value, bool) else float(str(value)))
        raise PredictionError(f"{shown(self.text)} is no rule")

    def _truth(self, node: ast.AST, table: Mapping[str, Any]) -> np.ndarray:
        out = np.asarray(self._value(node, table))
        if out.dtype != bool:
            raise PredictionError(f"{shown(self.text)}: both sides of and, or, not must compare something")
        return out
