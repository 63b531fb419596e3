"""Orders to a running process: one small file each in ``control/``, answered by an event that names it.

Knows nothing of processes; an order to a run that nobody runs just lies there until it is withdrawn.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from voxloop.plain_files import read_plain

OrderKind = Literal["stop", "cancel", "pause", "update"]
KINDS: tuple[str, ...] = get_args(OrderKind)
#: orders that end a run, and its last word then
LAST_WORD: dict[str, str] = {"stop": "stopped", "pause": "paused", "cancel": "cancelled"}


class Ordered(Exception):
    """An order ends the run; its argument is the last word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a user asked of a run. ``values`` are the settings of an update; ``name`` is what the answer repeats."""

    kind: OrderKind
    name: str
    values: dict[str, Any] = field(default_factory=dict)


def obey(orders: Iterable[Order]) -> None:
    """Raise Ordered where one of the orders ends the run."""
    for order in orders:
        if order.kind in LAST_WORD:
            raise Ordered(LAST_WORD[order.kind])


def give(folder: Path, kind: OrderKind, values: dict[str, Any] | None = None) -> Order:
    """Write an order, whole or not at all. The name begins with the time, so names sort by age."""
    order = Order(kind=kind, name=f"{time.time_ns():019d}-{kind}", values=values or {})
    folder.mkdir(exist_ok=True)
    temporary = folder / f".{order.name}.tmp"
    temporary.write_text(json.dumps({"kind": kind, "values": order.values}))
    temporary.replace(folder / f"{order.name}.json")
    return order


def pending(folder: Path, answered: Collection[str] = ()) -> list[Order]:
    """Orders that no event has answered yet, oldest first. One listing of a folder: cheap enough for every step."""
    try:
        names = sorted(name[:-5] for name in os.listdir(folder) if name.endswith(".json") and name[0] != ".")  # noqa: PTH208
    except FileNotFoundError:
        return []
    orders = (_read(folder / f"{name}.json", name) for name in names if name not in answered)
    return [order for order in orders if order is not None]


def withdraw(folder: Path, answered: Collection[str]) -> None:
    """Remove what was never answered, so that a new process does not end as a dead one was meant to.

    Changes of settings stay: whoever takes the run up makes them.
    """
    for order in pending(folder, answered):
        if order.kind != "update":
            (folder / f"{order.name}.json").unlink(missing_ok=True)


def _read(path: Path, name: str) -> Order | None:
    kind = name.rpartition("-")[2]
    if kind not in KINDS:
        return None
    try:
        values = json.loads(read_plain(path)).get("values", {})
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return Order(kind=kind, name=name, values=dict(values))  # type: ignore[arg-type]
