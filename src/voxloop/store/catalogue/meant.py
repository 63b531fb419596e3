"""Which items of a catalogue are meant by what is given. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from voxloop.errors import LabelError, nearest
from voxloop.given import shown
from voxloop.store.catalogue.items import Items


def places_of(known: Items, items: object, name: str) -> list[int]:
    """Where items stand that are given by name, several or ``"*"``. Raises LabelError, naming what is not there."""
    if isinstance(items, np.ndarray):
        items = items.ravel().tolist()
    if isinstance(items, str):
        items = range(len(known)) if items == "*" and "*" not in known.places else [items]
        if isinstance(items, range):
            return list(items)
    if isinstance(items, Mapping | bytes) or not isinstance(items, Iterable):
        raise LabelError(f"items={shown(items)}: give a name, several names, or '*' for all")
    places = known.places
    given = [one if isinstance(one, str) else shown(one) for one in items]
    missing = [one for one in given if one not in places]
    if missing:
        close = nearest(missing[0][:200], known.names[:10_000])
        hint = f"; did you mean {close!r}?" if close else ""
        raise LabelError(
            f"{len(missing):,} of {len(given):,} items are not in {name!r}: "
            f"{', '.join(repr(one[:80]) for one in missing[:3])}{hint}"
        )
    if not given:
        raise LabelError("an empty list names no item")
    return list(dict.fromkeys(places[one] for one in given))
