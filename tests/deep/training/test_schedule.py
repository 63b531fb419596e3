"""Learning rates: every schedule rises in its warm-up, never passes the setting, and never goes below the lowest."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxloop.config.deep import DeepConfig
from voxloop.config.presets import presets
from voxloop.deep.training.schedule import factor, lowers_rate, rate
from voxloop.deep.training.state import TrainingState

KINDS = ["cosine", "constant", "plateau", "step", "one-cycle", "polynomial"]


def rates(**settings: object) -> list[float]:
    config = DeepConfig(**settings)
    state = TrainingState.begin(config)
    found = []
    for step in range(state.total):
        state.step, state.epoch = step, step // state.per_epoch
        found.append(rate(config, state))
    return found


@pytest.mark.parametrize("kind", KINDS)
@given(
    warmup=st.integers(0, 60),
    epochs=st.integers(1, 30),
    steps=st.integers(1, 20),
    high=st.floats(1e-5, 1e-1),
    lowest=st.sampled_from([0.0, 1e-6, 1e-3]),
)
def test_rates_stay_within_their_bounds(kind: str, warmup: int, epochs: int, steps: int, high: float, lowest: float):
    found = rates(
        schedule=kind, warmup_steps=warmup, epochs=epochs, steps_per_epoch=steps, learning_rate=high, lowest_rate=lowest
    )
    rise = min(warmup, len(found) // 10)
    assert max(found) <= high * (1 + 1e-9)
    assert min(found) > 0
    assert all(a <= b * (1 + 1e-9) or kind == "step" for a, b in pairwise(found[:rise]))
    assert min(found[rise:]) >= min(lowest, high) * (1 - 1e-9)
    if rise:
        assert found[0] <= high / rise * (1 + 1e-9)


@pytest.mark.parametrize("kind", ["cosine", "one-cycle", "polynomial"])
def test_falling_schedules_end_near_a_hundredth(kind: str) -> None:
    found = rates(schedule=kind, epochs=40, learning_rate=1e-2)
    assert max(found) == pytest.approx(1e-2, rel=0.01)
    assert found[-1] == pytest.approx(1e-4, rel=0.3)


def test_step_drops_every_so_many_epochs() -> None:
    found = rates(
        schedule="step", epochs=9, steps_per_epoch=2, step_epochs=3, drop_factor=0.1, warmup_steps=0, learning_rate=1e-2
    )
    assert found == pytest.approx([1e-2] * 6 + [1e-3] * 6 + [1e-4] * 6)


def test_plateau_drops_after_its_own_patience() -> None:
    config = DeepConfig(schedule="plateau", plateau_patience=3)
    state = TrainingState.begin(config)
    said = []
    for _ in range(7):
        state.note_validation(0.5, 1.0, 100)
        said.append(lowers_rate(config, state))
    assert said == [False, False, False, True, False, False, True]
    assert not lowers_rate(DeepConfig(plateau_patience=3), state)
    cooled, again = config.changed(plateau_cooldown=2), TrainingState.begin(config)
    said = []
    for _ in range(12):
        again.note_validation(0.5, 1.0, 100)
        said.append(lowers_rate(cooled, again))
    assert [number for number, dropped in enumerate(said) if dropped] == [3, 8]
    assert factor("plateau", 90, 100, 0) == 1


def test_an_improvement_is_more_than_the_smallest_that_counts() -> None:
    state = TrainingState.begin(DeepConfig())
    assert state.note_validation(0.5, 1.0, 100, 0.01)
    assert state.note_validation(0.509, 0.991, 100, 0.01)
    assert state.plateau == 1
    state.note_validation(0.53, 0.99, 100, 0.01)
    assert state.plateau == 0


def test_the_loss_alone_may_choose_the_best() -> None:
    state = TrainingState.begin(DeepConfig())
    assert [state.note_validation(None, loss, 100) for loss in (1.0, 0.8, 0.81, 0.83, 0.79)] == [
        True,
        True,
        True,
        False,
        True,
    ]
    assert state.plateau == 0


def test_rate_falls_when_the_encoder_is_let_go() -> None:
    found = rates(
        schedule="constant",
        warmup_steps=0,
        epochs=4,
        steps_per_epoch=2,
        freeze_encoder_epochs=3,
        encoder_weights="imagenet",
        unfrozen_rate=0.01,
        learning_rate=1e-2,
    )
    assert found == pytest.approx([1e-2] * 6 + [1e-4] * 2)


def test_one_cycle_begins_again_when_the_encoder_is_let_go() -> None:
    config = presets["survos-multi-axis"]
    found = rates(**{**config.to_json(), "steps_per_epoch": 20})
    held, free = found[:160], found[160:]
    assert len(free) == 100
    for phase, high in ((held, 1e-3), (free, 1e-4)):
        assert max(phase) == pytest.approx(high, rel=1e-3)
        assert phase.index(max(phase)) == pytest.approx(0.3 * len(phase), abs=2)
        assert phase[0] < high / 20
        assert phase[-1] == pytest.approx(high / 100, rel=0.3)


def test_a_held_encoder_is_let_go_before_its_time_where_the_rest_learns_nothing_more() -> None:
    config = presets["survos-multi-axis"].changed(steps_per_epoch=20)
    state = TrainingState.begin(config)
    state.step, state.epoch, state.plateau = 80, 4, 3
    assert state.exhausted
    assert state.let_go()
    assert (state.total, state.plateau, state.exhausted) == (80 + 5 * 20, 0, False)
    state.step += 30
    assert rate(config, state) == pytest.approx(1e-4, rel=1e-3), "the highest of the second phase"
    assert not state.let_go()
    assert not TrainingState.begin(DeepConfig()).let_go()


def test_iterations_stand_for_epochs() -> None:
    state = TrainingState.begin(DeepConfig(iterations=333, steps_per_epoch=50))
    assert (state.total, state.per_epoch) == (333, 50)
