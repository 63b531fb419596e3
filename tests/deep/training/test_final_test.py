"""The score on labels kept apart to the end, and the page that tells it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.training_data import assemble
from voxloop.deep.learner import train
from voxloop.deep.training.final_test import Verdict


def test_test_cells_neither_teach_nor_judge(sources: Any, make: Any, tiny: DeepConfig) -> None:
    data = assemble(sources, make.classes, tiny.changed(test_share=0.2))
    split = data.images[0].split
    assert split.test
    assert split.validation
    assert not split.test & split.validation
    for cell in split.test:
        box = split.grid.box(cell).clip((6, 160, 160))
        assert not split.validation_mask(box).any()
        assert not split.training_mask(box, (6, 160, 160)).any()
    again = assemble(sources, make.classes, tiny.changed(test_share=0.2), data.split_to_json())
    assert again.images[0].split == split
    without = assemble(sources, make.classes, tiny)
    assert not without.images[0].split.test


@pytest.mark.parametrize("share", [0.0, 0.15])
def test_a_run_ends_with_a_score_beside_a_trivial_one(context: Any, tiny: DeepConfig, share: float) -> None:
    context.config["settings"] = tiny.changed(test_share=share, epochs=6, teacher="none").to_json()
    assert train(context) == "finished"
    (found,) = context.of("test")
    assert found["on"] == ("test" if share else "validation")
    assert found["voxels"] > 100
    assert 0 <= found["low"] <= found["mean"] <= found["high"] <= 1
    assert set(found["iou"]) == {"outside", "disc"}
    assert found["baseline"]["name"] == "Otsu's threshold"
    assert found["baseline"]["mean"] > 0.5  # bright discs on a dark ground
    best = max(event["val"]["iou"]["disc"] for event in context.of("epoch"))
    if not share:
        assert found["iou"]["disc"] == pytest.approx(best, abs=0.15)  # the same labels, the epoch that was kept


def test_an_interval_needs_two_windows_and_holds_the_mean() -> None:
    table = np.array([[[9, 1], [0, 10]], [[5, 5], [5, 5]], [[10, 0], [0, 10]]])
    found = Verdict.of(table, ["a", "b"], seed=0)
    assert found.iou["a"] == pytest.approx(24 / 35)
    assert found.low < found.mean < found.high
    assert np.isnan(Verdict.of(table[:1], ["a", "b"], seed=0).low)


def test_the_report_is_one_page_that_says_all(context: Any, tiny: DeepConfig, monkeypatch: Any) -> None:
    pytest.importorskip("matplotlib")
    from voxloop.runs import Runs, runner

    runs = Runs(context.path.parent)
    settings = tiny.changed(test_share=0.15, epochs=3, learning_rate=4e-3, teacher="none")
    first = runs.create("first", "voxloop.deep.learner:train", settings, labels=context.config["labels"])
    monkeypatch.setattr(runner, "Turn", lambda *_: SimpleNamespace(place=lambda: 0, leave=lambda: None))
    assert runner.run(first.path) == "finished"
    second = runs.create(
        "second",
        "voxloop.deep.learner:train",
        settings.changed(start_from="first"),
        labels=context.config["labels"],
        parent="first",
    )
    assert runner.run(second.path) == "finished"
    page = second.report().read_text()
    assert (second.path / "exports" / "second.html").is_file()
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # nothing is fetched
    assert "<script" not in page
    for words in (
        "Otsu&#x27;s threshold",
        "had no part in the training",
        "learning_rate",
        "0.004",
        "first",
        "edit 1",
        "version of torch",
        "<svg",
        "data:image/png",
    ):
        assert words in page, words
    assert "flatters" not in page
    third = runs.create(
        "third",
        "voxloop.deep.learner:train",
        settings.changed(start_from="first", seed=5, epochs=1),
        labels=context.config["labels"],
        parent="first",
    )
    assert runner.run(third.path) == "finished"
    assert "first, whose weights it started from, may have" in third.report().read_text()  # another split
    assert second.plot().read_bytes()[:4] == b"\x89PNG"
