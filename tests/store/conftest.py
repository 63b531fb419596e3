"""A small workspace whose image is never opened, and what a killed writer leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxloop.store import ImageInfo, Store

SHAPE = (20, 140, 150)  # two chunks along each axis
SPACING = (0.04, 0.01, 0.01)


def make(
    path: Path, shape: tuple[int, int, int] = SHAPE, classes: Any = ("object", "background"), **level: Any
) -> Store:
    store = Store.create(path)
    store.levels.add("labels", classes, **level)
    store.change(images=(ImageInfo(name="image", source="nowhere.zarr", shape=shape, spacing_um=SPACING),))
    return store


def abandon(store: Store) -> None:
    """Leave the workspace as kill -9 would: nothing flushed, the lock free."""
    session: Any = store._session
    for state in session.writers():
        with state._flushing, state.lock:
            state._closed = True
        state.journal.close()
    session._states.clear()
    for marks in session._marks.values():
        marks.journal.close()
    session._marks.clear()
    session.lock.release()
    store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make(tmp_path / "ws") as made:
        yield made


@pytest.fixture
def with_image(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Makes a workspace around a picture; closes it afterwards."""
    made: list[Store] = []

    def build(array: np.ndarray, classes: Any = ("object", "background"), **settings: Any) -> Store:
        made.append(Store.create(tmp_path / f"ws{len(made)}", image=array, classes=list(classes), **settings))
        return made[-1]

    yield build
    for one in made:
        one.close()
