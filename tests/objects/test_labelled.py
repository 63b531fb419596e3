"""Objects of levels and of masks, and the way back to labels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage as ndi

from voxloop.errors import LabelError, PredictionError, VoxloopError
from voxloop.objects import task
from voxloop.runs import Run
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.workspace.workspace import Workspace

SHAPE = (6, 40, 50)


@pytest.fixture
def ws(tmp_path, monkeypatch):
    """A workspace whose runs run here and now, with a level of classes and one of objects."""

    def launch(run, queue=True):
        writer = EventWriter(run.path / "events.jsonl")
        writer.emit("started", device="cpu")
        config = json.loads((run.path / "config.json").read_text())
        try:
            writer.emit(task.run(RunContext(run.path, config, writer)))
        except VoxloopError as error:
            writer.emit("failed", error=str(error))
        return run

    monkeypatch.setattr(Run, "launch", launch)
    picture = np.zeros(SHAPE, np.uint8)
    with Workspace.create(tmp_path / "ws", image=picture, classes=["rest", "cell"], spacing=(0.3, 0.1, 0.1)) as made:
        made.levels.add("objects", kind="instances")
        yield made


def blobs(seed: int = 0) -> np.ndarray:
    return ndi.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 2) > 0.03


def test_of_a_class_the_connected_voxels(ws) -> None:
    labels = ws.labels("labels")
    labels.write(None, np.where(blobs(), 2, 1))
    made = ws.objects("labels", of="cell").result
    expected = ndi.label(blobs())[0]
    np.testing.assert_array_equal(np.asarray(made.labels), expected)
    assert list(made.table().index) == list(range(1, expected.max() + 1))
    assert ws.objects("labels").result.count == made.count  # the only class that is no background
    assert ws.objects(labels, min_size=0.05, of="cell").result.count < made.count
    with pytest.raises(LabelError, match="did you mean 'cell'"):
        ws.objects("labels", of="cel")


def test_of_objects_that_are_numbered_the_same_and_back(ws) -> None:
    numbers = ndi.label(blobs())[0] * 7
    labels = ws.labels("objects")
    labels.write(None, numbers)
    made = ws.objects("objects").result
    np.testing.assert_array_equal(np.asarray(made.labels), numbers)
    assert list(made.table().index) == [n for n in np.unique(numbers) if n]
    with pytest.raises(PredictionError, match="taken as they are"):
        ws.objects("objects", min_size=1.0)
    some = [7, 14]
    edit = ws.label_objects(made, "labels", value="cell", ids=some)
    np.testing.assert_array_equal(ws.labels("labels").read() == 2, np.isin(numbers, some))
    assert edit.voxels == np.isin(numbers, some).sum()
    ws.labels("labels").undo()
    assert not ws.labels("labels").read().any()
    ws.label_objects("objects-1", "labels", classes={7: "rest", 14: 2})
    assert ws.labels("labels").counts() == {1: (numbers == 7).sum(), 2: (numbers == 14).sum()}
    with pytest.raises(LabelError, match="no object 5"):
        ws.label_objects(made, "labels", value="cell", ids=[5])
    assert not ws.label_objects(made, "objects").voxels  # all is labelled already
    ws.label_objects(made, "objects", overwrite=True)
    assert labels.counts().keys().isdisjoint(np.unique(numbers)[1:])  # numbers that were never used


def test_of_a_mask_given_or_on_disk(ws, tmp_path) -> None:
    mask = blobs()
    assert ws.objects(mask).result.count == ndi.label(mask)[1]
    np.save(tmp_path / "mask.npy", ndi.label(mask)[0].astype(np.uint16))
    numbered = ws.objects(str(tmp_path / "mask.npy")).result
    assert numbered.facts["numbered"]
    part = (slice(0, 3), slice(0, 20), slice(0, 20))
    of_part = ws.objects(mask, region=part).result
    np.testing.assert_array_equal(np.asarray(of_part.labels)[part], ndi.label(mask[part])[0])
    two = np.where(mask, 1 + (np.arange(SHAPE[2]) > 25), 0)
    assert ws.objects(two, kind="semantic", of=2).result.count == ndi.label(two == 2)[1]
    assert "name the value" in ws.objects(two, kind="semantic").history.error
    for bad, words in ((mask[1:], "same"), (mask * 0.5, "whole numbers"), (np.zeros((2, *SHAPE), int), "channel|axes")):
        with pytest.raises(VoxloopError, match=words):
            ws.objects(bad)
    with pytest.raises(PredictionError, match="unknown prediction or level"):
        ws.objects("label")
