"""Classes for output channels of which only the names are known. Knows no networks."""

from __future__ import annotations

from collections.abc import Sequence

from voxloop.model import ClassInfo
from voxloop.store.classes import BACKGROUND_NAMES, as_classes


def is_background(name: str) -> bool:
    return name.strip().lower() in BACKGROUND_NAMES | {"bg"}


def name_classes(names: Sequence[str]) -> tuple[ClassInfo, ...]:
    """Classes of these names with values from 1 and the colours that a level would give them."""
    seen: list[str] = []
    for name in names:  # a level would refuse what is there twice
        seen.append(name if name not in seen else f"{name} {len(seen) + 1}")
    return tuple(
        ClassInfo(value=item.value, name=item.name, color=item.color, background=item.background)
        for item in as_classes([{"name": name, "background": is_background(name)} for name in seen])
    )
