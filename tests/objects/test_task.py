"""Objects of a prediction as a run: the same as in this process, with lineage, orders obeyed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from voxloop.config import ObjectsConfig
from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.objects import segment
from voxloop.objects.task import class_value, discard, open_result, run, source_of
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter

CONFIG = ObjectsConfig(threshold=0.6, min_size=2e-5)


def test_a_run_makes_the_objects_of_the_probabilities(predicted) -> None:
    done = predicted.objects("p", CONFIG, of="class 2")
    found = done.result
    probability = np.asarray(predicted.predictions["p"].probabilities)[1]
    whole = segment(probability, CONFIG, spacing_um=(0.03, 0.01, 0.01))
    assert found.count == whole.max() > 3
    np.testing.assert_array_equal(np.asarray(found.labels), whole)
    assert found.facts["prediction"] == "predictions/p.zarr"
    assert found.config == CONFIG
    assert len(found.table()) == found.count
    assert done.path.parent.parent / "objects" / "objects-1.zarr" == found.path
    assert predicted.objects("p", threshold=0.6, min_size=2e-5).result.count == found.count


def context_of(predicted, name: str) -> RunContext:
    made = predicted.runs.create(
        name, "voxloop.objects.task:run", CONFIG.to_json(), prediction="predictions/p.zarr", of=2
    )
    config = json.loads((made.path / "config.json").read_text())
    return RunContext(made.path, config, EventWriter(made.path / "events.jsonl"))


@pytest.mark.parametrize(("order", "word"), [("stop", "stopped"), ("pause", "paused"), ("cancel", "cancelled")])
def test_orders_end_it_between_blocks(predicted, order, word) -> None:
    context = context_of(predicted, "o")
    (context.path / "control").mkdir(exist_ok=True)
    (context.path / "control" / f"1-{order}.json").write_text("{}")
    assert run(context) == word
    assert not open_fails(context.path)
    partial = predicted.path / "objects" / ".o.zarr.partial"
    assert partial.exists() == (order != "cancel")
    assert run(context) == "finished"  # started again, it goes on
    assert open_result(context.path).count > 3
    discard(context.path)
    assert not partial.exists()
    assert not open_fails(context.path)


def open_fails(path) -> bool:
    """Whether there is a result after all."""
    try:
        open_result(path)
    except PredictionError:
        return False
    return True


def test_which_class(predicted) -> None:
    path = predicted.predictions["p"].path
    assert class_value(path, None) == class_value(path, "class 2") == class_value(path, 2) == 2
    with pytest.raises(PredictionError, match="there are 'class 1', 'class 2'"):
        class_value(path, "class")
    assert source_of(path, 2).shape == predicted.predictions["p"].labels.shape


def test_objects_of_the_label_image_where_no_probabilities_are_kept(predicted) -> None:
    import shutil

    prediction = predicted.predictions["p"]
    shutil.rmtree(prediction.path / "probabilities")
    field = source_of(prediction.path, 2)
    box = (slice(0, 4), slice(0, 50), slice(0, 50))
    np.testing.assert_array_equal(field.read(Box.of(box, field.shape)), np.asarray(prediction.labels[box]) == 2)


def test_an_unfinished_prediction_is_refused(predicted) -> None:
    import zarr

    tiles = zarr.open_array(predicted.predictions["p"].path / "tiles", mode="r+")
    tiles[...] = 0
    with pytest.raises(PredictionError, match="0% done"):
        predicted.objects("p")


def test_settings_are_fitted_to_labelled_objects_where_none_are_given(predicted) -> None:
    with pytest.raises(PredictionError, match="no objects are labelled"):
        predicted.fit_objects("p", of="class 2")
    predicted.levels.add("blobs", kind="instances")
    probability = np.asarray(predicted.predictions["p"].probabilities)[1]
    labelled = segment(probability, CONFIG, spacing_um=(0.03, 0.01, 0.01))
    predicted.labels("blobs").write(None, labelled)
    fit = predicted.fit_objects("p", of="class 2")
    assert fit.ap >= fit.ap_before
    run = predicted.objects("p", of="class 2")
    assert run.result.config == fit.config
    assert fit.words in [event.get("text") for event in run.history.log]
    assert predicted.objects("p", CONFIG, of="class 2").result.config == CONFIG
