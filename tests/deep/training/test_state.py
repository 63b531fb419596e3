"""Which epochs are kept, and what a live setting may change."""

from __future__ import annotations

import math
from typing import Any

import pytest

from voxloop.config.deep import DeepConfig
from voxloop.deep.learner import train
from voxloop.deep.training.state import TrainingState
from voxloop.runs.orders import Order


@pytest.mark.parametrize(("strict", "kept"), [(False, [True, True, True, False]), (True, [True, False, True, False])])
def test_of_epochs_that_cannot_be_told_apart_the_newest_is_kept_unless_the_best_is_asked_for(
    strict: bool, kept: list[bool]
) -> None:
    state = TrainingState.begin(DeepConfig())
    scores = (0.80, 0.78, 0.81, 0.50)
    assert [state.note_validation(score, 1.0, 100, strict=strict) for score in scores] == kept


def test_a_first_epoch_without_a_score_is_kept_by_the_strict_rule_too() -> None:
    state = TrainingState.begin(DeepConfig())
    assert state.note_validation(math.nan, 1.0, 4, strict=True)
    assert state.note_validation(0.2, 1.0, 4, strict=True)


def test_a_rate_that_an_optimiser_does_not_follow_is_not_said_to_be_changed(context: Any, tiny: DeepConfig) -> None:
    settings = tiny.changed(optimiser="Rprop", epochs=1, steps_per_epoch=3, teacher="none", validation_share=0.0)
    context.config["settings"] = settings.to_json()
    context.at_step = {2: Order(kind="update", name="1-update", values={"learning_rate": 1e-4, "patience": 3})}
    assert train(context) == "finished"
    assert [event["what"] for event in context.of("updated")] == ["patience"]
    assert any("Rprop" in event["text"] and event.get("order") == "1-update" for event in context.of("warning"))
