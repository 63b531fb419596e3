"""What a GPU would be waited for by networks of animals, things and pictures; as ``on_fake_gpu.py`` does for masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.deep.fake_gpu import NAME, Record, current, fake_gpu, watched
from tests.deep.on_fake_gpu import STATED
from tests.deep.pose.test_training import SKELETON, TINY, begin, film

from voxloop.config import DetectConfig, PictureConfig, PoseConfig
from voxloop.deep.pose import loop, preview
from voxloop.deep.pose.classifier import load as load_pictures
from voxloop.deep.pose.learner import train_detect, train_pictures, train_pose
from voxloop.deep.pose.model import load
from voxloop.helper.handlers import Job

__all__ = ["begin"]  # the fixture

#: where what was found comes back from the device, a batch at a time
ANSWERED = ("_ask", "classify", "looked_at")
FEW = {**TINY, "steps_per_epoch": 2, "epochs": 1, "warmup_steps": 1}


@pytest.fixture(autouse=True)
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the thread does that cuts windows is noted too."""
    original = loop.Prefetcher

    def watching(cut: Any, workers: int) -> Any:
        def inside(step: int) -> Any:
            with watched(current()):
                return cut(step)

        return original(inside, workers)

    monkeypatch.setattr(loop, "Prefetcher", watching)


def train_on(device: str, train: Any, context: Any, config: Any, name: str) -> Any:
    """A finished training on the labels of a context, in a run of its own."""
    path = context.path.with_name(name)
    path.mkdir()
    settings = config.changed(device=device, precision="float32").to_json()
    own = type(context)(path=path, config={**context.config, "settings": settings}, workspace=context.workspace)
    assert train(own) == "finished"
    return own


def check(record: Record, begun: int) -> None:
    """No step waited, nor did an answer but where it comes back; batches were sent while others are computed."""
    assert [wait for wait in record.waits[:begun] if not wait.within(*STATED, *ANSWERED)] == []
    assert [wait for wait in record.waits[begun:] if not wait.within("opened", *ANSWERED)] == []
    assert record.pinned
    assert record.copies >= 2 * FEW["steps_per_epoch"]  # pixels, and what is taught of them
    assert record.odd_layouts == []


@pytest.mark.parametrize("pipeline", ["single", "top-down", "bottom-up"])
def test_animals_are_learned_and_found_as_on_the_processor(begin: Any, pipeline: str) -> None:
    picture, instances = film(frames=5, animals=1 + (pipeline != "single"), size=64)
    config = PoseConfig(pipeline=pipeline, **FEW)
    context = begin(config, picture, instances, **SKELETON)
    plain = train_on("cpu", train_pose, context, config, "plain")
    with fake_gpu() as record:
        run, begun = train_on(NAME, train_pose, context, config, "fake"), len(record.waits)
        with load(run.path / "model").opened(NAME, precision="float32") as finder:
            found = finder.frames(picture[:2, None], threshold=0.01)
    check(record, begun)
    losses = [[event["loss"] for event in one.of("step")] for one in (run, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    with load(run.path / "model").opened("cpu", precision="float32", threads=1) as finder:
        wanted = finder.frames(picture[:2, None], threshold=0.01)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours.at, theirs.at, atol=0.1)


def test_boxes_are_learned_and_found_and_the_helper_gives_memory_back(begin: Any) -> None:
    picture, instances = film(frames=5, size=64)
    middles = [np.array(one["points"]["middle"]) for one in instances]
    boxes = [
        {"frame": frame, "points": (tuple(at - 8), tuple(at + 8)), "label": "rod"} for frame, at in enumerate(middles)
    ]
    config = DetectConfig(**{**FEW, "window": 48})
    context = begin(config, picture, boxes, kind="boxes", classes=["rod"])
    with fake_gpu() as record:
        run, begun = train_on(NAME, train_detect, context, config, "fake"), len(record.waits)
        with load(run.path / "model").opened(NAME) as finder:
            assert len(finder.frames(picture[:2, None], threshold=0.01)) == 2
        check(record, begun)
        settings = config.changed(device=NAME).to_json()
        job = Job(context.workspace, {"learner": "detect", "config": settings}, {}, lambda: False, lambda _: None)
        given_back = record.emptied
        assert preview.inputs(job)["windows"] == config.batch_size
        assert record.emptied == given_back + 1


def test_classes_of_pictures_are_learned_and_told(begin: Any, tmp_path: Path) -> None:
    picture, _ = film(frames=6, size=48)
    picture[::2] //= 2
    config = PictureConfig(
        network="test_resnet", encoder_weights="", threads=1, batch_size=2, steps_per_epoch=2, epochs=1, warmup_steps=1
    )
    names = {frame: ("light", "dark")[1 - frame % 2] for frame in range(6)}
    context = begin(config, picture, names, kind="pictures", classes=["light", "dark"])
    with fake_gpu() as record:
        run, begun = train_on(NAME, train_pictures, context, config, "fake"), len(record.waits)
        with load_pictures(run.path / "model").opened(NAME) as opened:
            assert opened.classify(picture[:3, None]).shape == (3, 2)
            assert opened.looked_at(picture[0][None], "dark").shape == (48, 48)
    check(record, begun)
