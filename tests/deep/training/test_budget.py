"""The minutes of a run are kept, whatever the machine does; too few steps are said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.enough import minutes_for
from voxloop.deep.training.budget import TimeBudget
from voxloop.deep.training.state import TrainingState


@given(step_s=st.floats(0.01, 20), slow=st.floats(1, 5), getting_ready=st.floats(0, 60), judging=st.floats(0, 10))
def test_minutes_are_kept_on_a_machine_that_slows_down(
    step_s: float, slow: float, getting_ready: float, judging: float
) -> None:
    """Steps and validations of a made-up clock, slower from the tenth step on."""
    config = DeepConfig(batch_size=4, max_minutes=5.0, epochs=1000, steps_per_epoch=25)
    state, budget, clock = TrainingState.begin(config), TimeBudget(config, windows=8), getting_ready
    budget.judging_s = judging
    validation_s = 0.0
    while state.step < state.total:
        now = step_s * (slow if state.step >= 10 else 1)
        clock += now
        state.step += 1
        if not state.planned and state.step >= 3:
            budget.plan(state, clock, now)
        elif state.planned:
            budget.shorten(state, clock, now)
        if state.step % state.per_epoch == 0 or state.step == state.total:
            validation_s = 0.35 * now * 8 / config.batch_size
            clock += validation_s
            budget.note_validation(validation_s)
            budget.plan_again(state, clock, now, freely=2 * state.step < state.total)
    ended = clock + judging + validation_s
    longest_step = step_s * slow + validation_s
    assert ended <= max(300 + 2 * longest_step, getting_ready + judging + 4 * longest_step + 3 * step_s)


def test_too_few_steps_are_said_with_the_minutes_that_do() -> None:
    config = DeepConfig(max_minutes=1.5, batch_size=4)
    state, budget = TrainingState.begin(config), TimeBudget(config, windows=8)
    state.step = 3
    budget.plan(state, 12.0, 3.0)
    words = budget.warning(state, 12.0, 3.0)
    assert words.startswith(f"about {state.total} steps fit into 1.5 minutes here, too few")
    assert "16 minutes" in words
    quick = TrainingState.begin(config)
    quick.step = 3
    budget.plan(quick, 12.0, 0.1)
    assert quick.total > 500
    assert not budget.warning(quick, 12.0, 0.1)


def test_minutes_are_whole_and_at_least_one() -> None:
    assert minutes_for(300, 1.0, 10) == 6
    assert minutes_for(1, 0.1, 0) == 1
