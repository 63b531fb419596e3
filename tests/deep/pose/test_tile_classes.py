"""Classes of tiles of a large picture: learned, found, a map of them, and taken over where nobody said anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.deep.conftest import ListeningContext

from voxloop import PictureConfig, Workspace
from voxloop.deep.pose.learner import train_pictures
from voxloop.errors import LabelError, WorkspaceError
from voxloop.prediction import places
from voxloop.prediction.found import open_result
from voxloop.runs import Run


def test_tiles_are_learned_found_and_taken_over(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    picture = rng.normal(60, 6, (100, 200))
    picture[:, 100:] += 60 * np.sin(np.arange(100) * np.pi / 3)  # striped to the right
    config = PictureConfig(
        tiles="tiles", network="test_resnet", encoder_weights="", threads=1, device="cpu", batch_size=8,
        steps_per_epoch=8, epochs=3, warmup_steps=1, learning_rate=0.005,
    )  # fmt: skip
    ended: dict[str, str] = {}

    def work(run: Run, queue: bool = True) -> Run:
        task = train_pictures if run.kind == "train" else places.run
        context = ListeningContext(run.path, run.config, ws.path)
        ended[run.name] = task(context)
        return run

    monkeypatch.setattr(Run, "launch", work)
    with Workspace.create(tmp_path / "ws", image=picture.clip(0, 255).astype("uint8"), image_name="slide") as ws:
        ws.levels.add("kinds", classes=["plain", "striped"], kind="pictures")
        ws.tiles.add("tiles", size=20)
        tiles = ws.catalogue("tiles")
        with pytest.raises(LabelError, match="no tile of 'tiles' has a class yet"):
            ws.train(config)
        known = {name: "plain" if tiles.region(name)[2].start < 100 else "striped" for name in tiles.names[::2]}
        assert tiles.assign_each(known) == 25
        with pytest.raises(LabelError, match=r"name tiles here; say which grid"):
            ws.train(config.changed(tiles=None, training_set="training"))
        tiles.add_to_set("training", tiles.names[:40])
        tiles.add_to_set("validation", tiles.names[30:50], out_of="training")
        run = ws.train(config.changed(training_set="training", validation_set="validation"), name="one")
        learnt = run.config["tiles"]
        assert (len(learnt["classed"]), learnt["judges"]) == (25, 10)
        assert {one[2] for one in learnt["classed"][-10:]} == {60, 80}
        assert run.config["settings"]["training_set"] == "training@2"
        assert ended["one"] == "finished"
        found = ws.predict(run, name="where", threads=1)
        answer = open_result(found.path)
        assert answer.table()[["top", "left"]].iloc[-1].tolist() == [80, 180]
        heat, step = answer.heat_map("striped")
        assert heat.shape == (5, 10)
        assert step == (20.0, 20.0)
        assert heat[:, 5:].mean() > heat[:, :5].mean()
        monkeypatch.setattr(Run, "result", property(lambda run: open_result(run.path)))
        ws.accept(found, above=0.0)
        assert len(tiles.classes()) == 50
        assert [tiles.classes()[tiles.items.places[name]] for name in known] == list(known.values())
        tiles.undo()
        assert len(tiles.classes()) == 25
        ws.tiles.change("tiles", size=25)
        with pytest.raises(WorkspaceError, match="are others than when they were looked at"):
            ws.accept(found)
