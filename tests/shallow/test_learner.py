"""The training task, spoken to as a run speaks to it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from texture import CLASSES, SPACING, accuracy, strokes, textured

from voxloop.config import ShallowConfig
from voxloop.errors import LabelError
from voxloop.model import ClassInfo
from voxloop.shallow import learner
from voxloop.store import Store
from voxloop.volumes import open_volume

CONFIG = ShallowConfig(scales=3, samples=2000, passes=5, context=0)


class Context:
    """What a run hands to its task; ``give`` maps a moment to the order that is given then."""

    def __init__(self, folder, workspace, labels, give=None):
        self.path = folder
        self.workspace = workspace
        self.settings = CONFIG.to_json()
        self.config = {"labels": labels}
        self.events = []
        self.give = give or (lambda events: [])

    def emit(self, kind, **fields):
        self.events.append({"kind": kind, **fields})

    def orders(self):
        return [SimpleNamespace(kind=kind, name=kind) for kind in self.give(self.events)]

    def kinds(self, kind):
        return [event for event in self.events if event["kind"] == kind]


@pytest.fixture
def workspace(tmp_path):
    image, truth = textured()
    path = tmp_path / "ws"
    with Store.create(path, image=open_volume(image, spacing=SPACING), classes=[c.name for c in CLASSES]) as store:
        labels = store.labels()
        labels.write(None, strokes(truth))
        first = labels.sequence
        labels.write(None, np.ones_like(truth))  # later than the run: must not be seen
    return path, {f"labels/{store.images.names[0]}": first}


def test_a_run_leaves_a_model_and_tells_how_it_went(workspace, tmp_path):
    context = Context(tmp_path / "run", *workspace)
    assert learner.train(context) == "finished"
    epochs = context.kinds("epoch")
    assert [event["epoch"] for event in epochs] == [1, 2, 3, 4, 5]
    assert set(epochs[-1]["train"]["iou"]) == {"disc", "ground"}
    assert epochs[-1]["val"]["iou"]["disc"] > 0.7
    done = [event["done"] / event["total"] for event in context.kinds("progress")]
    assert done == sorted(done)
    assert (context.path / context.kinds("sample")[0]["path"]).stat().st_size > 1000
    model = learner.result(context.path)
    assert [c.name for c in model.spec.classes] == ["disc", "ground"]
    image, truth = textured(seed=3)
    assert accuracy(model.predict(image[None]), truth) > 0.9


def test_labels_written_after_the_run_was_frozen_are_not_learnt(workspace):
    path, sequences = workspace
    examples, _ = learner.open_examples(path, {"labels": sequences})
    assert set(np.unique(examples[0].labelled.values)) == {1, 2}
    frozen = len(examples[0].labelled)
    later, _ = learner.open_examples(path, {"labels": dict.fromkeys(sequences, 2)})
    assert len(later[0].labelled) > frozen


@pytest.mark.parametrize(("order", "word"), [("cancel", "cancelled"), ("pause", "paused"), ("stop", "cancelled")])
def test_an_order_before_anything_is_learnt_leaves_no_model(workspace, tmp_path, order, word):
    context = Context(tmp_path / "run", *workspace, give=lambda events: [order])
    assert learner.train(context) == word
    assert not (context.path / "model").exists()


def test_stop_between_passes_keeps_a_model(workspace, tmp_path):
    context = Context(
        tmp_path / "run", *workspace, give=lambda events: ["stop"] if events and events[-1]["kind"] == "epoch" else []
    )
    assert learner.train(context) == "stopped"
    assert len(context.kinds("epoch")) < CONFIG.passes
    assert learner.result(context.path).spec.classes


def test_instances_are_not_for_this_learner(tmp_path):
    image, truth = textured()
    path = tmp_path / "ws"
    with Store.create(path, image=open_volume(image, spacing=SPACING), classes=["cell"]) as store:
        store.levels.add("cells", kind="instances")
        store.labels("cells").write(None, truth.astype(np.uint32))
        key = f"cells/{store.images.names[0]}"
    with pytest.raises(LabelError, match="semantic level"):
        learner.open_examples(path, {"labels": {key: 1}})


def test_a_class_without_a_voxel_is_left_out_and_values_are_kept(tmp_path):
    from voxloop.shallow.fitting import fit

    image, truth = textured()
    labels = np.where(strokes(truth) == 2, 7, strokes(truth)).astype(np.uint8)
    classes = [ClassInfo(value=1, name="a"), ClassInfo(value=4, name="empty"), ClassInfo(value=7, name="b")]
    assert [c.value for c in fit(CONFIG, [(image, labels)], SPACING, classes).spec.classes] == [1, 7]
