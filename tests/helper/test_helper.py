"""The real process: answers, is killed, is superseded, goes with its parent, leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from voxloop.config import PredictConfig, ShallowConfig
from voxloop.errors import ModelError, RunError, VoxloopError
from voxloop.helper import Helper
from voxloop.model import ClassInfo, load_model
from voxloop.shallow.fitting import fit
from voxloop.store import Store
from voxloop.volumes import open_volume

SPACING = (0.03, 0.01, 0.01)
CONFIG = {"scales": 3, "context": 1}
SHM = Path("/dev/shm")


def halves(shape=(3, 300, 320)):
    """Dark left, bright right, both noisy."""
    image = np.random.default_rng(0).normal(80, 15, shape)
    image[..., shape[2] // 2 :] += 60
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "ws", image=open_volume(halves(), spacing=SPACING), classes=["left", "right"]) as made:
        yield made


@pytest.fixture
def helper(store):
    with Helper(store.path) as made:
        yield made
    assert none_left(os.getpid())


def segments(pid=None):
    return {path.name for path in SHM.glob(f"voxloop-{pid or os.getpid()}-*")} if SHM.is_dir() else set()


def files(folder):
    """Every file and when it was written; the heart of the writer's lock beats on."""
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name != "writer.lock"}


def view(box=((0, 300), (0, 320)), axis="z", index=1, **more):
    return {"axis": axis, "index": index, "box": [list(edge) for edge in box], **more}


def live(helper, **fields):
    return helper.request("live", image="image", level="labels", config=CONFIG, view=view(), **fields)


def paint(labels):
    labels.paint(axis="z", index=1, points=[(40, 30), (260, 60)], radius=4, value=1)
    return labels.paint(axis="z", index=1, points=[(40, 200), (260, 290)], radius=4, value=2).sequence


def none_left(pid, seconds=10.0):
    deadline = time.monotonic() + seconds
    while segments(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not segments(pid)


def put_together(parts, shape=(300, 320)):
    values, times = np.zeros(shape, np.uint8), np.zeros(shape, int)
    for part in parts:
        values[part.rows, part.columns] = part.values
        times[part.rows, part.columns] += 1
    return values, times


def gone(pid, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_nothing_is_shown_outside_of_the_parent_of_a_level(store, helper):
    above = store.labels("labels")
    above.write((slice(0, 3), slice(0, 150), slice(0, 320)), np.full((3, 150, 320), 2, np.uint8))
    above.flush()
    store.levels.add("parts", classes=["dark", "bright"], parent=("labels", "right"))
    below = store.labels("parts")
    for rows in ((40, 30), (40, 60), (100, 200)):
        below.paint(axis="z", index=1, points=[rows, (rows[0], rows[1] + 40)], radius=4, value=1 + (rows[1] > 150))
    parts = []
    asked = {"image": "image", "level": "parts", "config": CONFIG, "view": view(), "sequence": below.sequence}
    assert helper.request("live", **asked, on_part=parts.append).result(60)["learnt"]
    shown = np.zeros((300, 320), np.uint8)
    for part in parts:
        shown[part.rows, part.columns] = part.values
    assert shown[:150].all()
    assert not shown[150:].any()


def test_strokes_become_an_overlay_and_the_workspace_stays_as_it_is(store, helper):
    labels = store.labels()
    assert live(helper).result(60)["learnt"] is False
    sequence = paint(labels)
    labels.flush()
    before = files(store.path)
    parts = []
    done = live(helper, sequence=sequence, on_part=parts.append).result(60)
    assert (done["state"], done["learnt"], done["sequence"]) == ("done", True, sequence)
    values, times = put_together(parts)
    assert (times == 1).all()
    assert (values[:, :140] == 1).mean() > 0.95
    assert (values[:, 180:] == 2).mean() > 0.95
    assert files(store.path) == before


def test_a_stroke_painted_later_is_followed(store, helper):
    labels = store.labels()
    assert live(helper, sequence=paint(labels)).result(60)["learnt"]
    labels.undo()
    done = live(helper, sequence=labels.sequence).result(60)
    assert done["learnt"] is False
    assert done["sequence"] == labels.sequence
    labels.redo()
    assert live(helper, sequence=labels.sequence).result(60)["learnt"]


def test_killed_in_the_middle_it_fails_that_request_and_answers_the_next(store, helper):
    sequence = paint(store.labels())
    started = threading.Event()
    answer = live(helper, sequence=sequence, on_part=lambda part: started.set())
    os.kill(helper.pid, signal.SIGSTOP)  # whatever it has done by now, it does not finish
    first = helper.pid
    os.kill(first, signal.SIGKILL)
    with pytest.raises(RunError, match="starts it again"):
        answer.result(30)
    assert live(helper, sequence=sequence).result(60)["learnt"]
    assert helper.pid not in (None, first)


def test_a_newer_request_makes_the_older_ones_void(store, helper):
    sequence = paint(store.labels())
    answers = [live(helper, sequence=sequence) for _ in range(6)]
    states = [answer.result(60)["state"] for answer in answers]
    assert states[-1] == "done"
    assert states[:-1].count("dropped") >= 4  # all but the one under way, which may have been too far on
    older = live(helper, generation=1)
    assert older.result(60)["state"] == "dropped"


def test_a_cancelled_request_ends(store, helper):
    paint(store.labels())
    answer = live(helper)
    helper.cancel()
    assert answer.result(60)["state"] in ("dropped", "done")
    assert live(helper).result(60)["learnt"]


def test_parts_and_answer_can_be_awaited(store, helper):
    sequence = paint(store.labels())

    async def ask():
        answer = live(helper, sequence=sequence)
        parts = [part async for part in answer.parts()]
        return parts, await answer

    parts, done = asyncio.run(ask())
    assert done["learnt"]
    assert (put_together(parts)[1] == 1).all()


def test_what_cannot_be_answered_is_a_clear_error_and_no_end(store, helper):
    cases = [
        ("live", {"image": "image", "level": "none", "view": view()}, VoxloopError),
        ("live", {"image": "image", "level": "labels", "view": view(index=7)}, RunError),
        ("overlay", {"image": "image", "model": "runs/none/model", "view": view()}, ModelError),
        ("overlay", {"image": "image", "view": view()}, RunError),
        ("nonsense", {}, RunError),
    ]
    pids = set()
    for kind, fields, error in cases:
        with pytest.raises(error):
            helper.request(kind, **fields).result(60)
        pids.add(helper.pid)
    paint(store.labels())
    assert live(helper).result(60)["learnt"]
    assert pids == {helper.pid}


def test_an_overlay_shows_what_the_model_says_and_is_kept(store, helper, tmp_path):
    image = halves()
    labels = np.zeros_like(image)
    labels[1, 50:60, 20:140], labels[1, 50:60, 200:300] = 1, 3
    classes = [ClassInfo(value=1, name="left"), ClassInfo(value=3, name="right")]
    folder = fit(ShallowConfig(**CONFIG, dimensions="2d"), [(image, labels)], SPACING, classes).save(tmp_path / "model")
    shares = load_model(folder).predict(image[None])[:, 1]
    wanted = np.array([1, 3])[shares.argmax(axis=0)]
    fields = {"image": "image", "model": str(folder), "view": view(((30, 290), (10, 320)))}
    for kept in (0, 4):
        parts = []
        done = helper.request("overlay", on_part=parts.append, **fields).result(60)
        assert done["kept"] == kept
        values, times = put_together(parts, (260, 310))
        assert (times == 1).all()
        assert (values == wanted[30:290, 10:320]).mean() > 0.999
    across = helper.request("overlay", **{**fields, "view": view(((0, 3), (0, 320)), axis="y", index=100)})
    assert across.result(60)["computed"] == 2
    helper.request("forget").result(60)
    assert helper.request("overlay", **fields).result(60)["kept"] == 0

    first = {"image": "image", "models": [str(folder)], "settings": PredictConfig().to_json()}
    opened = helper.request("first", **first).result(60)  # made ready, nothing predicted
    assert [(c["value"], c["name"]) for c in opened["classes"]] == [(1, "left"), (3, "right")]
    parts = []
    helper.request("first", on_part=parts.append, view=view(((30, 290), (10, 320))), **first).result(60)
    values, times = put_together(parts, (260, 310))
    assert (times == 1).all()
    assert len(parts) > 1  # it grows from the middle
    lead = np.abs(shares[1] - shares[0])[30:290, 10:320]
    assert (values == wanted[30:290, 10:320])[lead > 1e-4].all()
    for part in parts:
        assert np.abs(part.confidence - 255 * lead[part.rows, part.columns]).max() < 2


def test_idle_it_ends_and_comes_back(store):
    paint(store.labels())
    with Helper(store.path, idle=0.2) as helper:
        assert live(helper).result(60)["learnt"]
        first = helper.pid
        assert first is None or gone(first)
        for pause in (0.0, 0.19, 0.2, 0.21):  # a request may come at the very moment at which it leaves
            assert live(helper).result(60)["learnt"]
            time.sleep(pause)


def test_closed_or_forgotten_it_ends(store):
    helper = Helper(store.path)
    helper.request("forget").result(60)
    pid = helper.pid
    helper.close()
    assert gone(pid)
    with pytest.raises(RunError, match="closed"):
        helper.request("forget")
    helper = Helper(store.path)
    helper.request("forget").result(60)
    pid = helper.pid
    del helper
    assert gone(pid)


def test_it_goes_with_a_parent_that_is_killed_and_leaves_no_memory(store):
    paint(store.labels())
    code = (
        "import sys, time\nfrom voxloop.helper import Helper\n"
        f"h = Helper({str(store.path)!r})\n"
        f"a = h.request('live', image='image', level='labels', config={CONFIG!r}, view={view()!r})\n"
        "a.result(60)\n"
        f"b = [h.request('live', lane=str(n), image='image', level='labels', config={CONFIG!r}, view={view()!r})"
        " for n in range(8)]\n"
        "print(h.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(pid)
    assert none_left(parent.pid)


def test_an_interrupt_of_the_kernel_is_not_for_the_helper(store, helper):
    helper.request("forget").result(60)
    pid = helper.pid
    assert os.getpgid(pid) != os.getpgid(0)
    os.kill(pid, signal.SIGINT)
    helper.request("forget").result(60)
    assert helper.pid == pid


def test_the_client_imports_neither_learner_nor_arrays_on_disk():
    heavy = ("sklearn", "torch", "zarr", "dask", "skimage", "scipy")
    code = f"import sys, voxloop.helper; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
