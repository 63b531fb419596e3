"""Whatever a caller gives: a sentence of one line, nothing changed that was not meant to, and never a raw traceback."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxloop.config import DeepConfig, ObjectsConfig, PredictConfig, ShallowConfig
from voxloop.errors import VoxloopError
from voxloop.runs import Runs
from voxloop.store import Labels, Store, open_labels

PICTURE = np.random.default_rng(0).integers(0, 255, (6, 40, 50)).astype(np.uint8)
BAD: list[Any] = [
    None, float("nan"), float("inf"), -1, -1.5, 0, 10**9, 10**30, 1e300, "x", "", "../x", "\0", "x" * 500, b"x", [],
    [1],
    [[float("nan"), 1]], [(-1e9, -1e9), (1e9, 1e9)], [(1e300, 0)], (1, 2, 3), {}, {"a": 1}, {1}, object(), True,
    np.float32("nan"), np.array([1, 2]), np.array("x"), slice(3, 1), (slice(0, 10**9),), (slice(None, None, 2),),
    "labels", [None], [{"name": None}], ("labels", 5), 3.7, complex(1, 1), lambda: None, "2020-01-01", Path("/nowhere"),
]  # fmt: skip

STROKE: dict[str, Any] = {"axis": "z", "index": 1, "points": [(5, 5), (20, 30)], "radius": 2, "value": 1}
LABEL_VERBS: dict[str, dict[str, Any]] = {
    "paint": {**STROKE, "depth": None, "radius_um": None, "joined": False},
    "erase": {**{k: v for k, v in STROKE.items() if k != "value"}, "depth": None},
    "threshold": {**STROKE, "low": 0, "high": 90, "channel": 0},
    "polygon": {"axis": "z", "index": 1, "points": [(5, 5), (20, 30), (5, 30)], "value": 2},
    "fill": {"axis": "z", "index": 1, "point": (5, 5), "value": 1, "by": "image", "tolerance": 5, "volume": False,
             "reach": 9, "channel": 0},
    "copy_slice": {"axis": "z", "source": 1, "target": 2, "values": None, "overwrite": False},
    "interpolate": {"axis": "z", "first": 0, "last": 3, "values": None, "overwrite": False},
    "write": {"region": (slice(0, 2),), "array": 1, "mask": None, "overwrite": True, "arguments": None},
    "read": {"region": None},
    "plane": {"axis": "z", "index": 1, "box": None, "step": 1},
    "history": {"sequence": 1},
    "made_by": {"region": None, "since": 0},
}  # fmt: skip
STORE_VERBS: dict[str, dict[str, Any]] = {
    "levels.add": {"name": "new", "classes": ["a"], "parent": None, "kind": "semantic"},
    "levels.rename": {"name": "labels", "new": "other"},
    "levels.remove": {"name": "nothing"},
    "levels.add_class": {"level": "labels", "new": "c"},
    "levels.change_class": {"level": "labels", "given": 1, "name": "n", "color": "#ffffff", "locked": False},
    "levels.remove_class": {"level": "labels", "given": "b"},
    "regions.add": {"name": "part", "region": (slice(0, 2),), "image": None},
    "regions.remove": {"name": "nothing"},
    "images.info": {"name": "image"},
    "images.open": {"name": None},
    "images.remove": {"name": "nothing"},
    "labels": {"level": None, "image": None},
}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("bad") / "ws"
    with Store.create(path, image=PICTURE, classes=["a", "b"], spacing=(1, 1, 1)) as store:
        store.labels().paint(index=0, points=[(9, 9)], radius=4)
        store.labels().paint(index=3, points=[(12, 12)], radius=5)
        yield store


def tried(does: Callable[[], object], what: str = "") -> None:
    """Do it; anything but a VoxloopError ends the test. ``what``: said then."""
    words = "all is well"
    try:
        does()
    except VoxloopError as error:
        words = str(error)
    except BaseException as error:
        error.add_note(what)
        raise
    assert words, what
    assert "\n" not in words, (what, words)


def cases(seed: int, count: int, verbs: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    rng = random.Random(seed)
    for _ in range(count):
        verb = rng.choice(list(verbs))
        arguments = dict(verbs[verb])
        for name in rng.sample(list(arguments), min(len(arguments), rng.choice([1, 1, 1, 2]))):
            arguments[name] = rng.choice(BAD)
        yield verb, arguments


def every_verb(store: Store, seed: int, count: int) -> None:
    for verb, arguments in cases(seed, count // 2, LABEL_VERBS):
        tried(lambda v=verb, a=arguments: getattr(store.labels("labels", "image"), v)(**a))
    for verb, arguments in cases(seed + 1, count - count // 2, STORE_VERBS):
        level, _, name = verb.rpartition(".")
        aim = getattr(store, level) if level else store
        before = store.document
        tried(lambda a=aim, n=name, w=arguments: getattr(a, n)(**w))
        store.change(**{part: getattr(before, part) for part in ("images", "levels", "regions", "sets")})
    Store.open(store.path, read_only=True).close()


def test_no_verb_gives_a_traceback(there: Store) -> None:
    every_verb(there, 0, 400)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10, 60, 2))
def test_no_verb_gives_a_traceback_many_times(there: Store, seed: int) -> None:
    every_verb(there, seed, 400)


@pytest.mark.parametrize("kind", [DeepConfig, ShallowConfig, PredictConfig, ObjectsConfig])
def test_settings_of_any_shape(kind: Any) -> None:
    for value in BAD:
        tried(lambda v=value: kind.from_json(v))


def test_runs_of_any_name_and_task(there: Store) -> None:
    runs = Runs(there.path / "runs")
    for value in BAD:
        tried(lambda v=value: runs.create(v, "voxloop.shallow.learner:train", {}))
        tried(lambda v=value: runs.create(None, v, {}))
        tried(lambda v=value: runs.create(None, "voxloop.shallow.learner:train", v))
        tried(lambda v=value: runs.create(None, "voxloop.shallow.learner:train", {"x": v}, result=v, device=v, title=v))
        tried(lambda v=value: runs[v])
        assert value is None or value not in runs or isinstance(value, str)
    for run in runs.values():
        assert run.state == "created"


def test_workspaces_of_any_path(there: Store, tmp_path: Path) -> None:
    for value in BAD:
        tried(lambda v=value: Store.open(v))
        tried(lambda v=value: open_labels(there.path, v, "image"))
        tried(lambda v=value: open_labels(there.path, "labels", v))
        tried(lambda v=value: open_labels(there.path, "labels", "image", v))
        tried(lambda v=value: Store.create(tmp_path / "ws", classes=v).close())


def test_names_of_files_that_are_no_text(tmp_path: Path) -> None:
    """A disk holds names of any bytes, such as those of another language's old encoding."""
    import tifffile

    place = tmp_path / os.fsdecode(b"caf\xe9.tif")
    tifffile.imwrite(place, PICTURE)
    mask = tmp_path / os.fsdecode(b"mask \xff.tif")
    tifffile.imwrite(mask, (PICTURE > 200).astype(np.uint8))
    with Store.create(tmp_path / "ws", image=place, classes=["a"], spacing=(1, 1, 1)) as store:
        store.images.add("two", place)
        assert store.labels("labels", "image").load(mask, zero="unlabelled").voxels
        with pytest.raises(VoxloopError, match="use letters"):
            store.images.add(os.fsdecode(b"\xe9"), place)
        assert store.images.add_folder(tmp_path)[0].name == "caf"
    with Store.open(tmp_path / "ws", read_only=True) as store:
        assert store.images.open("two").shape == PICTURE.shape
        labels = store.labels("labels", "image")
        assert labels.history(1)["arguments"]["source"] == str(mask)
        labels.save(tmp_path / os.fsdecode(b"out \xe9.tif"))


def test_far_away_points_cost_nothing_and_change_what_they_cross(there: Store) -> None:
    labels: Labels = there.labels("labels", "image")
    labels.write(None, 0)
    edit = labels.paint(index=5, points=[(-1e9, -1e9), (1e9, 1e9)], radius=0, value=2)
    assert edit.voxels == 40
    np.testing.assert_array_equal(np.argwhere(labels.plane("z", 5) == 2), np.repeat(np.arange(40)[:, None], 2, axis=1))
    labels.undo()
    assert labels.polygon(index=5, points=[(-1e9, -1e9), (-1e9, 1e9), (1e9, 1e9), (1e9, -1e9)]).voxels == 40 * 50
    labels.undo()
    assert labels.paint(index=5, points=[(5, 5)], radius=1e300, depth=10**9).voxels == 6 * 40 * 50
    labels.undo()
