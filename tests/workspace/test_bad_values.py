"""Whatever is given to the verbs of a workspace that judge and choose: a sentence of one line, or an answer."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.store.test_bad_values import cases, tried

from voxloop import PredictConfig, ShallowConfig, Workspace, simulate
from voxloop.errors import RunError, VoxloopError
from voxloop.locks import Holder
from voxloop.runs import Run, runner
from voxloop.workspace.voxel_size import voxel_size_remarks

SHAPE = (4, 60, 70)
VERBS: dict[str, dict[str, Any]] = {
    "score": {"prediction": "p", "level": 0.8},
    "scores.compute": {"name": "p"},
    "scores.of_prediction": {"name": "p"},
    "scores.of_run": {"run": "forest"},
    "audit": {"prediction": "p", "how": "points", "n": 10, "seed": 0},
    "compare": {"models": ["p", "q"], "image": None, "on": None, "level": 0.9},
    "offer": {"image": None, "level": None},
    "best": {"image": None, "level": None},
    "suggest": {"prediction": "p", "n": 2, "strategy": "gain", "seed": 0, "images": None, "region": None},
    "doctor": {"n": 5, "run": None},
    "fit_objects": {"prediction": "p", "of": None, "level": None},
    "accept": {"prediction": "p", "region": (slice(0, 1),), "classes": None, "above": 0.9},
    "evaluate": {"prediction": "p", "truth": "labels"},
    "methods": {"prediction": "p", "report": None},
    "rounds.read": {"level": None},
    "rounds.table": {"level": None},
    "rounds.reached": {"level": "labels", "image": "image"},
    "rounds.outlook": {"level": "labels", "image": "image"},
    "rounds.go_back": {"which": 1, "level": None},
    "rounds.branch": {"which": 1, "name": None, "level": None},
    "rounds.named": {"which": 1, "level": None},
    "set_voxel_size": {"image": None, "spacing": (1, 1, 1), "unit": "micrometer"},
    "add_pairs": {"images": "PAIRS", "masks": None, "level": None, "zero": None, "values": None},
    "images.add_times": {"name": "series", "source": "SERIES"},
}
AUDIT_VERBS: dict[str, dict[str, Any]] = {
    "points.answer": {"i": 1, "value": "disc"},
    "points.skip": {"i": 0},
    "points.said": {"i": 0},
    "points.score": {"level": 0.9},
    "fields.accept": {"i": 1},
    "fields.correct": {"i": 1, "labels": None},
    "fields.predicted": {"i": 0},
    "fields.corrected": {"i": 0},
}
SIMULATE: dict[str, Any] = {
    "truth": None, "prediction": "p", "level": None, "image": None, "slices": None, "suggest": False, "strokes": 2,
    "radius": 3.0, "length": 9, "share": None, "mistakes": 0.0, "seed": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a trained pixel classifier and two predictions, made in this process."""
    path = tmp_path_factory.mktemp("bad") / "ws"
    rng = np.random.default_rng(0)
    image = rng.normal(90, 12, SHAPE)
    image[1:3, 20:40, 20:40] += 80
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "launch", lambda run, queue=True: runner.run(run.path, queue=False) and run)
        with Workspace.create(path, image=image.clip(0, 255).astype(np.uint8), classes=["outside", "disc"]) as ws:
            for index in range(SHAPE[0]):
                ws.labels().paint(index=index, points=[(30, 25), (30, 35)], radius=4, value="disc")
                ws.labels().paint(index=index, points=[(10, 5), (50, 9)], radius=3, value="outside")
            ws.levels.add("things", kind="instances")
            settings = ShallowConfig(trees=4, sigmas_um=(1.0,), dimensions="2d", level="labels")
            run = ws.train(settings, name="forest")
            assert run.state == "finished", run.log_tail(20)
            for name in ("p", "q"):
                run = ws.predict("forest", name=name, config=PredictConfig())
                assert run.state == "finished", run.log_tail(20)
            assert ws.objects("p", name="o", of="disc").state == "finished"
            ws.sets.add("mine")
            ws.channels.add("smooth")
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verbs that take the name of a file write where nothing else lies."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def ws(made: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(made, tmp_path / "ws")
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    for name in ("a", "a_mask"):
        tifffile.imwrite(pairs / f"{name}.tif", np.ones((20, 20), np.uint8))
    with Workspace.open(tmp_path / "ws") as opened:
        yield opened


def resolved(ws: Workspace, dotted: str) -> Callable[..., Any]:
    aim: Any = ws
    for part in dotted.split("."):
        aim = getattr(aim, part)
    return aim


def test_no_audit_takes_an_answer_that_is_none(ws: Workspace) -> None:
    audits = {"points": ws.audit("p", n=40), "fields": ws.audit("p", "fields")}
    for verb, arguments in cases(3, 150, AUDIT_VERBS):
        how, _, name = verb.partition(".")
        tried(lambda h=how, n=name, a=arguments: getattr(audits[h], n)(**a), f"{verb} {arguments}")
    for how in audits:
        assert ws.audit("p", how, n=audits[how].count).answered == audits[how].answered


def test_no_simulated_annotator_gives_a_traceback(ws: Workspace) -> None:
    truth = np.ones(SHAPE, np.uint8)
    truth[1:3, 20:40, 20:40] = 2
    usual = {**SIMULATE, "truth": truth, "prediction": ws.predictions["p"], "level": "labels"}
    for _, arguments in cases(4, 60, {"simulate": usual}):
        tried(lambda a=arguments: simulate(ws, **a), str({k: v for k, v in arguments.items() if k != "truth"}))


def test_a_workspace_in_which_nothing_was_done_says_what_to_do(tmp_path: Path) -> None:
    """No images, then no labels, then no prediction."""
    with Workspace.create(tmp_path / "ws") as ws:
        for _ in range(2):
            for verb, arguments in VERBS.items():
                if verb != "add_pairs":
                    tried(lambda v=verb, a=arguments: resolved(ws, v)(**a), verb)
            if not ws.images.names:
                ws.images.add("image", np.zeros(SHAPE, np.uint8))
                ws.levels.add("labels", ["a", "b"])


@pytest.mark.parametrize("harm", ["no voxels", "no facts", "facts of another kind", "a file"])
def test_a_damaged_prediction_is_named_and_the_others_stay(ws: Workspace, harm: str) -> None:
    folder = ws.predictions["q"].path
    if harm == "no voxels":
        for name in ("labels", "probabilities", "uncertainty"):
            shutil.rmtree(folder / name)
    elif harm == "no facts":
        (folder / "zarr.json").unlink()
    elif harm == "facts of another kind":
        (folder / "zarr.json").write_text('{"attributes": {"voxloop": {"v": 1, "plan": [], "lineage": 7}}}')
    else:
        shutil.rmtree(folder)
        folder.write_text("no folder")
    for verb, usual in VERBS.items():
        arguments = {key: "q" if value == "p" else value for key, value in usual.items()}
        if verb not in ("add_pairs", "images.add_times"):
            tried(lambda v=verb, a=arguments: resolved(ws, v)(**a), verb)
    assert ws.score("p").words
    assert ws.best().name == "p" or harm == "no voxels"


def test_a_workspace_that_may_only_be_read_says_so_and_judges_all_the_same(ws: Workspace) -> None:
    with Workspace.open(ws.path, read_only=True) as reader:
        for verb, arguments in VERBS.items():
            if verb not in ("add_pairs", "images.add_times"):
                tried(lambda v=verb, a=arguments: resolved(reader, v)(**a), verb)
        assert reader.score("p").words
        for change in (
            lambda: reader.set_voxel_size(None, 2.0),
            lambda: reader.add_pairs(ws.path.parent / "pairs"),
            lambda: reader.images.add_times("series", ws.path.parent / "pairs" / "a.tif"),
            lambda: reader.rounds.go_back(1),
        ):
            with pytest.raises(VoxloopError, match="read"):
                change()


#: files of a workspace that say what there is, or what was found out
FILES = [
    "runs/forest/config.json", "runs/forest/events.jsonl", "runs/forest/outcome.json", "runs/forest/model/spec.json",
    "rounds.jsonl", "predictions/q.zarr/zarr.json", "journal/labels.image.jsonl", "labels/labels/image.index.jsonl",
    "derived/scores/p.json", "derived/offers/labels.image.json", "audits/kept-strokes.jsonl",
    "audits/p.points-40-0.*.jsonl",
]  # fmt: skip
DEEP = "[" * 200_000 + "]" * 200_000
CONTENTS = {
    "deep": DEEP + "\n",
    "deep field": '{"v": 1, "run": ' + DEEP + "}\n",
    "a list": '[{"v": 1}]\n',
    "infinite": '{"v": 1, "i": 1, "value": Infinity, "labelled": NaN, "run": "forest", "time": NaN, '
    '"labels": {"a": NaN}}\n',
    "other types": '{"v": 1, "i": "1", "name": 7, "run": {"a": []}, "labels": [1], "level": [], "kind": 4, "time": "x",'
    ' "last": "x", "task": [], "attributes": 3, "kept": [], "words": 3, "score": [], "ground": {}, "sequence": "z"}\n',
    "simulated": '{"v": 1, "kind": "simulated", "level": "labels", "image": "image", "first": "a", "seconds": "b"}\n',
    "elsewhere": '{"v": 1, "run": "../../x", "name": "../x", "level": "../labels", "image": "../image", '
    '"task": "os:rmdir", "labels": {"labels/../../x": 3}, "kept": "classifier", "words": "w", '
    '"model": "../../x", "settings": []}\n',
    "no text": "\xff\x00",
    "a pipe": "",
    "empty": "",
}


@pytest.mark.parametrize("content", list(CONTENTS))
def test_no_file_of_somebody_else_breaks_what_looks_at_a_workspace(ws: Workspace, content: str) -> None:
    """Each file in turn says something that cannot be; all that looks at the workspace answers in a sentence."""
    ws.audit("p", n=40)
    ws.scores.table()
    ws.offer()
    for pattern in FILES:
        path = next(iter(ws.path.glob(pattern)), ws.path / pattern)
        before = path.read_bytes() if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        if content == "a pipe":  # whoever opens it waits for somebody who writes
            path.unlink(missing_ok=True)
            os.mkfifo(path)
        else:
            path.write_bytes(CONTENTS[content].encode("latin-1"))
        with Workspace.open(ws.path, read_only=True) as reader:
            for verb, look in LOOKS.items():
                tried(lambda r=reader, q=look: q(r), f"{verb}, {path.name} {content}")
        path.unlink()
        if before is not None:
            path.write_bytes(before)


LOOKS: dict[str, Callable[[Workspace], object]] = {
    "runs": lambda ws: [(run.state, run.kind, run.outcome, run.history.log, repr(run)) for run in ws.runs.values()],
    "table of runs": lambda ws: ws.runs.table(),
    "rounds": lambda ws: (ws.rounds.table(), repr(ws.rounds)),
    "go back": lambda ws: ws.rounds.named(1),
    "scores": lambda ws: ws.scores.table(),
    "score": lambda ws: ws.score("p"),
    "score of a run": lambda ws: ws.scores.of_run(ws.runs["forest"]),
    "best": lambda ws: ws.best(),
    "compare": lambda ws: ws.compare(["p", "q"]),
    "audit": lambda ws: repr(ws.audit("p", n=40)),
    "doctor": lambda ws: ws.doctor(),
    "suggest": lambda ws: ws.suggest("p", 2),
    "methods": lambda ws: ws.methods("p"),
    "sizes": lambda ws: voxel_size_remarks(ws),
    "predictions": lambda ws: [repr(one) for one in ws.predictions.values()],
}


@pytest.mark.parametrize(
    "place", ["rounds.jsonl", "audits/kept-strokes.jsonl", "audit", "derived/scores", "derived/offers"]
)
def test_nothing_is_written_through_a_link(ws: Workspace, tmp_path: Path, place: str) -> None:
    """What judges and chooses notes things down, in the workspace only."""
    outside = tmp_path / "outside"
    audit = ws.audit("p", n=40)
    target = audit.path if place == "audit" else ws.path / place
    before = target.read_bytes() if target.is_file() else b""
    if place.startswith("derived"):
        shutil.rmtree(target, ignore_errors=True)
        outside.mkdir()
        (outside / "mine.txt").write_text("mine")
    else:
        target.unlink(missing_ok=True)
        outside.write_bytes(before)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(outside)

    def note() -> None:
        ws.scores.table()
        ws.offer()
        simulate(ws, np.full(SHAPE, 2, np.uint8), level="labels", strokes=2)

    for does in (note, lambda: ws.audit("p", n=40).answer(0, 1), lambda: [doubt.keep() for doubt in ws.doctor()]):
        tried(does)
    if outside.is_dir():
        assert [path.name for path in outside.iterdir()] == ["mine.txt"]
    else:
        assert outside.read_bytes() == before


def test_a_full_disk_refuses_an_answer_and_keeps_those_before(ws: Workspace) -> None:
    resource = pytest.importorskip("resource")
    audit = ws.audit("p", n=40)
    audit.answer(0, 1)
    size = audit.path.stat().st_size
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, usual[1]))
    try:
        with pytest.raises(VoxloopError, match="cannot be written"):
            audit.answer(1, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert audit.path.stat().st_size == size
    assert audit.answered == ws.audit("p", n=40).answered == [0]
    audit.answer(1, 2)
    assert ws.audit("p", n=40).answered == [0, 1]


def test_an_endless_answer_is_not_unpacked(ws: Workspace) -> None:
    audit = ws.audit("p", "fields")
    bomb = base64.b64encode(zlib.compress(bytes(50_000_000), 9)).decode()
    table = [[0, 0], [0, 0]]
    with audit.path.open("a") as file:
        file.write(json.dumps({"i": 0, "labels": bomb, "table": table}) + "\n")
    tracemalloc.start()
    assert ws.audit("p", "fields").answered == []
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_run_that_a_busy_device_refuses_leaves_its_name_free(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "voxloop.runs.run.device_holder", lambda _: Holder(pid=1, host="here", since=0.0, note={"run": "/runs/other"})
    )
    before = list(ws.runs)
    with pytest.raises(RunError, match="busy with run 'other'"):
        ws.train(ShallowConfig(level="labels"), name="again", queue=False)
    assert list(ws.runs) == before
