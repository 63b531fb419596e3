"""Whatever is given to any public verb: an answer, or a sentence of one line and all as it was; never a raw error."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.store.test_bad_values import BAD
from tests.workspace.test_bad_values import made  # noqa: F401
from tests.workspace.verbs import LEFT_OUT, Verbs

from voxloop import Workspace
from voxloop.errors import VoxloopError
from voxloop.runs import Run

VALUES = [
    *BAD, np.zeros((0,)), np.zeros((2, 2, 2, 2, 2)), np.array([object()]), ["a", 5], iter([1]), "a/b", "ä", "<b>", ".",
    -0.0, 2**63, "1" * 400, range(3), {"x": {"y": 1}}, ("p", "q"), b"\xff", [[]], ..., type, "a\nb", "~nobody/x",
    np.datetime64("2020"), {"a": float("nan")}, float("-inf"),
]  # fmt: skip
#: verbs that take long, or start a process, where all else is right
COSTLY = {
    "Workspace.add_pairs", "Workspace.create", "Workspace.export_model", "Workspace.forecast", "Workspace.objects",
    "Workspace.predict", "Workspace.suggest", "Workspace.train", "Images.add", "Images.add_folder", "Images.prepare",
    "Runs.create", "Rounds.branch", "Rounds.go_back", "Run.plot", "Run.report", "vl.inspect.training_inputs",
    "vl.inspect.field_of_view", "vl.inspect.forecast", "vl.inspect.find_rate", "vl.objects.find_objects",
    "vl.objects.label_components", "Workspace.fit_objects", "Workspace.compare", "Labels.load", "Workspace.evaluate",
    "vl.bioimageio.import_package", "Workspace.methods", "Workspace.export", "Rounds.named", "ScoreCache.compute",
    "ScoreCache.of_prediction", "ScoreCache.of_run", "Workspace.best", "Workspace.doctor", "Workspace.offer",
    "Workspace.agreement", "Workspace.score", "Workspace.audit", "Workspace.set_voxel_size", "Workspace.track",
    "Workspace.clip", "Workspace.scene3d",
    "Workspace.study", "Workspace.pack",
}  # fmt: skip


@pytest.fixture(scope="module")
def verbs(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verbs]:  # noqa: F811
    folder = tmp_path_factory.mktemp("every")
    shutil.copytree(made, folder / "ws")
    (folder / "pairs").mkdir()
    for name in ("a", "a_mask"):
        tifffile.imwrite(folder / "pairs" / f"{name}.tif", np.ones((20, 20), np.uint8))
    (folder / "cwd").mkdir()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(Run, "launch", lambda run, queue=True: run)
        patch.chdir(folder / "cwd")  # "x" is a fine name of a file
        with Workspace.open(folder / "ws") as ws:
            yield Verbs(ws, folder)


def test_every_public_verb_is_tried(verbs: Verbs) -> None:
    missing = []
    for owner, thing in verbs.owners.items():
        names = getattr(thing, "__all__", None) or dir(type(thing))
        for name in names:
            if not name.startswith("_") and callable(getattr(type(thing), name, None)):
                missing += [f"{owner}.{name}"]
    left_out = {*LEFT_OUT, *(f"{owner}.{name}" for owner in verbs.owners for name in LEFT_OUT if "." not in name)}
    public = {name for name in missing if not name.startswith(("vl", "Model"))}
    assert public - left_out - set(verbs.table) == set()
    assert set(verbs.table) & left_out == set()


def tried(verbs: Verbs, verb: str, argument: str, value: Any) -> bool:
    """Give a verb a value that may be wrong; whether it was refused."""
    before, runs = verbs.state(), set(verbs.ws.runs)
    what = f"{verb}({argument}={value!r:.80})"
    words = ""
    try:
        verbs.call(verb, {**verbs.table[verb], argument: value})
    except VoxloopError as error:
        words = str(error) or "\n"
    except TimeoutError:
        assert verb == "Run.wait", what
    except BaseException as error:
        error.add_note(what)
        raise
    if words:
        assert "\n" not in words, what
        assert verbs.state() == before, f"{what} was refused, and changed something all the same"
        return True
    verbs.put_back(before[0], runs)
    return False


def walk(verbs: Verbs, many: int, few: int) -> tuple[int, int]:
    """Pairs of an argument and a value that were tried, and refused: so many values for each, other ones each time."""
    pairs = refused = 0
    for verb, usual in verbs.table.items():
        for argument in usual:
            count = min(few if verb in COSTLY else many, len(VALUES))
            for number in range(count):
                value = VALUES[(7 * pairs + number * len(VALUES) // count) % len(VALUES)]
                refused += tried(verbs, verb, argument, value)
                pairs += 1
    return pairs, refused


def test_no_verb_is_put_off_by_a_value(verbs: Verbs) -> None:
    pairs, refused = walk(verbs, 7, 2)
    assert pairs > 1500
    assert refused > 900


@pytest.mark.nightly
def test_no_verb_is_put_off_by_any_value(verbs: Verbs) -> None:
    pairs, _ = walk(verbs, 1000, 1000)
    assert pairs > 15_000
