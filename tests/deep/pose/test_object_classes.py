"""Classes of single objects: given by hand, learned, found, taken over, corrected, and beside their measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.deep.conftest import ListeningContext

from voxloop import PictureConfig, PredictConfig, Workspace
from voxloop.deep.pose.learner import train_pictures
from voxloop.errors import ConfigError, LabelError, PredictionError
from voxloop.objects import task
from voxloop.prediction import places
from voxloop.prediction.found import open_result
from voxloop.runs import Run


def _cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of 40 squares, some cut by its edge, and their numbers; which of them are striped."""
    rng = np.random.default_rng(0)
    grays, numbers = rng.normal(60, 6, (100, 240)), np.zeros((1, 100, 240), np.uint16)
    striped = rng.random(40) < 0.5
    for place in range(40):
        y, x = 3 + 25 * (place // 10), 24 * (place % 10)
        numbers[0, y : y + 14, x : x + 14] = place + 1
        grays[y : y + 14, x : x + 14] += 60
        if striped[place]:
            grays[y : y + 14, x : x + 14] += 50 * np.sin(np.arange(14) * np.pi / 2)
    return grays.clip(0, 255).astype(np.uint8), numbers, striped


def test_classes_of_objects_are_learned_found_and_corrected(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, numbers, striped = _cells()
    true = {place + 1: "striped" if is_so else "plain" for place, is_so in enumerate(striped)}
    config = PictureConfig(
        objects="cells", network="test_resnet", encoder_weights="", threads=1, device="cpu", batch_size=8,
        steps_per_epoch=8, epochs=4, warmup_steps=1, learning_rate=0.005,
    )  # fmt: skip

    def work(run: Run, queue: bool = True) -> Run:
        task_of = {"train": train_pictures, "places": places.run, "objects": task.run}[run.kind]
        assert task_of(ListeningContext(run.path, run.config, ws.path)) == "finished"
        return run

    monkeypatch.setattr(Run, "launch", work)
    with pytest.raises(ConfigError, match="say one of them"):
        config.changed(tiles="tiles")
    with Workspace.create(tmp_path / "ws", image=picture, image_name="slide") as ws:
        ws.levels.add("kinds", classes=["plain", "striped"], kind="pictures")
        objects = task.open_result(ws.objects(numbers, name="cells", kind="instances").path)
        opened = {"objects": task.open_result, "places": open_result}
        monkeypatch.setattr(Run, "result", property(lambda run: opened[run.kind](run.path)))
        kinds = ws.object_classes("cells")
        with pytest.raises(LabelError, match="no object of cells has a class yet"):
            ws.train(config)
        with pytest.raises(LabelError, match="there is no object 41"):
            kinds.assign(41, "plain")
        with pytest.raises(LabelError, match="stripped"):
            kinds.assign(1, "stripped")
        half = {number: true[number] for number in list(true)[::2]}
        assert kinds.assign_each(half) == 20
        run = ws.train(config, name="one")
        assert run.config["objects"]["window"] == 22  # one and a half times the largest
        found = ws.predict(run, config=PredictConfig(threads=1), name="all")
        table = open_result(found.path).table()
        assert table["object"].tolist() == list(true)
        right = [name == true[number] for number, name in zip(table["object"], table["class"], strict=True)]
        assert np.mean(right) > 0.9
        with pytest.raises(PredictionError, match="these objects lie on image 'slide'"):
            ws.predict(run, image="other")
        taken = ws.accept(found)
        assert taken == sorted(set(true) - set(half))
        wrong = taken[0]
        assert kinds.assign(wrong, "plain" if kinds.classes()[wrong] == "striped" else "striped") == 1
        shown = objects.table(measures=["classes"])
        assert (shown["class"] != "").all()
        assert shown["class_by"].value_counts()["all"] == 19
        assert np.isnan(shown.loc[wrong, "class_probability"])
        assert ws.accept(found) == taken[1:]  # what a person said stays
        assert len(kinds.classes(predicted=False)) == 21
        assert [kinds.undo() for _ in range(4)] == [True] * 4
        assert kinds.classes() == {}
        assert (kinds.redo(), len(kinds.classes()), kinds.undo(), kinds.undo()) == (True, 20, True, False)
        # a class that is renamed keeps what was said, also where another takes its name; one that is removed does not
        ws.levels.change_class("kinds", "striped", name="dark")
        ws.levels.change_class("kinds", "plain", name="striped")
        renamed = {"plain": "striped", "striped": "dark"}
        kinds = ws.object_classes("cells")
        assert kinds.redo()
        assert kinds.classes() == {number: renamed[name] for number, name in half.items()}
        shown = objects.table(measures=["classes"])
        assert set(shown["class"]) == {"striped", "dark", ""}
        ws.levels.remove_class("kinds", "dark")
        ws.levels.add_class("kinds", "round")
        assert set(ws.object_classes("cells").classes().values()) == {"striped"}
        ws.levels.remove("kinds")
        ws.levels.add("kinds", classes=["dark", "plain"], kind="pictures")
        assert set(ws.object_classes("cells").classes().values()) == {"plain"}  # by name: the old level is gone
