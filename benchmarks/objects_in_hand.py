"""How long it takes to find, split and merge large objects, among many: python benchmarks/objects_in_hand.py."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import voxloop as vl


def timed(words: str, act: Callable[[], Any]) -> Any:
    begun, spent = time.perf_counter(), time.process_time()
    out = act()
    print(f"{words}: {time.perf_counter() - begun:.3f} s, {time.process_time() - spent:.3f} s of them computing")
    return out


def large(folder: Path) -> None:
    """An object of about 10^7 voxels, of two halves."""
    shape = (160, 320, 640)
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    ball = [((z - 80) / 66) ** 2 + ((y - 160) / 130) ** 2 + ((x - at) / 160) ** 2 <= 1 for at in (180, 460)]
    with vl.Workspace.create(folder / "large", image=np.zeros(shape, np.uint8), kind="instances", spacing=1.0) as ws:
        lab = ws.labels()
        values = np.where(ball[0] | ball[1], 5, 0)
        lab.write(None, values)
        print(f"one object of {(values > 0).sum():,} voxels")
        timed("split by seeds", lambda: lab.split(5, seeds=[(80, 160, 180), (80, 160, 460)]))
        timed("merge again", lambda: lab.merge(list(lab.counts())))
        timed("split by a line", lambda: lab.split(next(iter(lab.counts())), line=[(0, 320), (319, 320)], index=80))
        timed("undo", lab.undo)


def many(folder: Path) -> None:
    """A million objects of 27 voxels each and more."""
    shape = (300, 300, 300)
    z, y, x = (np.arange(n) // 3 for n in shape)
    values = (z[:, None, None] * 10000 + y[None, :, None] * 100 + x[None, None, :] + 1).astype(np.uint32)
    with vl.Workspace.create(folder / "many", image=np.zeros(shape, np.uint8), kind="instances", spacing=1.0) as ws:
        lab = ws.labels()
        timed("write a million objects", lambda: lab.write(None, values))
        chosen = timed("the object at a voxel", lambda: lab.object_at((150, 151, 152)))
        timed("its box", lambda: lab.object_box(chosen))
        timed("the next one", lambda: lab.next_object(chosen, by="number"))
        timed("remove it", lambda: lab.remove([chosen]))
        timed("lock one", lambda: lab.lock([1]))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        large(Path(made))
        many(Path(made))
