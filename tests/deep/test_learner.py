"""The task of a run: it learns, reports, obeys, and leaves a model where it should."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from voxloop.config.deep import DeepConfig
from voxloop.config.presets import presets
from voxloop.deep.learner import train
from voxloop.deep.objective.metrics import scores_of
from voxloop.deep.predict.model import load
from voxloop.deep.training.reporter import Reporter
from voxloop.deep.training.state import TrainingState
from voxloop.errors import ConfigError, RunError


@dataclass
class Order:
    kind: str
    name: str = "1-order"
    values: dict[str, Any] = field(default_factory=dict)


def changed(context: Any, **settings: Any) -> Any:
    config = DeepConfig.from_json(context.settings).changed(**settings)
    context.config["settings"] = config.to_json()
    return context


def test_learns_discs_from_scribbles(context: Any, world: Any) -> None:
    raw, truth, _ = world
    assert train(changed(context, epochs=6, steps_per_epoch=10, learning_rate=1e-2)) == "finished"
    losses = [event["loss"] for event in context.of("step")]
    assert [event["iteration"] for event in context.of("step")] == list(range(1, 61))
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    model = load(context.path / "model")
    assert [info.name for info in model.spec.classes] == ["outside", "disc"]
    assert [info.value for info in model.spec.classes] == [1, 3]
    said = model.predict(raw[None, 1:2])[1, 0] > 0.5  # a slice without labels
    assert (said & truth[1]).sum() / (said | truth[1]).sum() > 0.6


def test_events_tell_the_whole_story(context: Any) -> None:
    train(context)
    epochs = context.of("epoch")
    assert [event["epoch"] for event in epochs] == [1, 2]
    assert epochs[0]["iteration"] == 5
    assert set(epochs[0]["val"]["iou"]) == {"outside", "disc"}
    assert {"loss", "iou", "dice", "accuracy"} <= set(epochs[0]["train"])
    assert epochs[0]["patience"] == 15
    for event in context.of("sample"):
        assert (context.path / event["path"]).stat().st_size > 100
    assert len(context.of("sample")) == 2
    assert {event["name"] for event in context.of("checkpoint")} == {"last"}
    assert context.of("progress")
    assert any("'unused'" in event["text"] for event in context.of("warning"))
    json.dumps(epochs)


def test_stop_keeps_a_model(context: Any) -> None:
    context.at_step[3] = Order("stop")
    assert train(context) == "stopped"
    assert len(context.of("step")) == 2
    assert load(context.path / "model").spec.learner == "deep"


def test_cancel_stops_at_once(context: Any) -> None:
    context.at_step[3] = Order("cancel")
    assert train(context) == "cancelled"
    assert len(context.of("step")) == 2
    assert not (context.path / "model").exists()


def test_live_settings_change_and_others_are_refused(context: Any) -> None:
    context.at_step[4] = Order("update", values={"learning_rate": 1e-4, "batch_size": 9, "epochs": 1})
    assert train(changed(context, schedule="constant")) == "finished"
    rates = [event["lr"] for event in context.of("step")]
    assert rates[2] == pytest.approx(5e-3)
    assert rates[3:] == pytest.approx([1e-4, 1e-4])
    assert {e["what"]: (e["old"], e["new"]) for e in context.of("updated")} == {
        "learning_rate": (5e-3, 1e-4),
        "epochs": (2, 1),
    }
    assert any("batch_size" in event["text"] for event in context.of("warning"))


def test_update_out_of_bounds_is_said(context: Any) -> None:
    context.at_step[2] = Order("update", values={"learning_rate": 7.0})
    train(context)
    assert any("learning_rate=7.0" in event["text"] for event in context.of("warning"))
    assert not context.of("updated")


def test_patience_ends_the_run_by_itself(context: Any) -> None:
    train(changed(context, epochs=50, steps_per_epoch=1, patience=2, learning_rate=1e-7, average_weights=0.0))
    last = context.of("epoch")[-1]
    assert last["plateau"] == 2
    assert last["epoch"] < 50
    assert any("no improvement in 2 epochs" in event["text"] for event in context.of("log"))


def test_loss_that_is_no_number_goes_back_and_then_gives_up(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxloop.deep.objective.loss import PartialLoss

    original = PartialLoss.__call__

    def once(self: Any, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        loss = original(self, logits, labels)
        return loss * float("nan") if len(context.of("epoch")) == 2 and len(context.of("resumed")) == 0 else loss

    monkeypatch.setattr(PartialLoss, "__call__", once)
    monkeypatch.setattr("voxloop.deep.training.reporter._CHECKPOINT_SHARE", 0.0)  # as where steps are not this short
    assert train(changed(context, epochs=3)) == "finished"
    assert any("no number" in event["text"] for event in context.of("warning"))
    assert context.of("resumed")[0]["step"] == 10, "the end of the epoch before"
    weights = load(context.path / "model").module().state_dict()
    assert all(torch.isfinite(value).all() for value in weights.values())


def test_a_loss_that_explodes_is_said_once(context: Any, tiny: DeepConfig) -> None:
    reporter = Reporter(context, TrainingState.begin(tiny.changed(learning_rate=0.5)), ["outside", "disc"])
    for loss in (0.8, 0.7, 5.0, 1728.0, 2000.0):
        reporter.epoch(scores_of(np.eye(2, dtype=int), loss), None, True)
    assert len(context.of("warning")) == 1
    assert "from 0.7 to 1.73e+03" in context.of("warning")[0]["text"]
    assert "learning_rate=0.05" in context.of("warning")[0]["text"]


def test_a_loss_that_explodes_before_the_first_epoch_ends_is_said_too(context: Any, tiny: DeepConfig) -> None:
    for first, mean, said in ((0.9, 1728.0, 1), (0.01, 0.5, 0)):  # a single easy window is no measure
        reporter = Reporter(context, TrainingState.begin(tiny), ["outside", "disc"])
        assert reporter.step(torch.tensor(first), 1.0, 2, now=True)
        context.events.clear()
        reporter.epoch(scores_of(np.eye(2, dtype=int), mean), None, True)
        assert len(context.of("warning")) == said


def test_loss_that_is_never_a_number_fails_with_advice(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxloop.deep.objective.loss import PartialLoss

    monkeypatch.setattr(PartialLoss, "__call__", lambda _self, logits, _labels: logits.sum() * float("nan"))
    with pytest.raises(RunError, match="learning_rate"):
        train(context)


def test_starting_from_an_earlier_run(context: Any, tmp_path: Any) -> None:
    train(changed(context, epochs=4, steps_per_epoch=10, learning_rate=1e-2))
    first = context.of("step")[0]["loss"]
    child = type(context)(path=context.path.parent / "deep-2", config=context.config, workspace=context.workspace)
    child.path.mkdir()
    train(changed(child, epochs=1, start_from="deep-1"))
    assert child.of("step")[0]["loss"] < 0.8 * first
    with pytest.raises(ConfigError, match="neither a run"):
        train(changed(_fresh(child, "deep-3"), start_from="nobody"))
    with pytest.raises(ConfigError, match="fits"):
        train(changed(_fresh(child, "deep-4"), start_from="deep-1", encoder="tu-test_resnet"))


def _fresh(context: Any, name: str) -> Any:
    folder = context.path.parent / name
    folder.mkdir()
    return type(context)(path=folder, config=dict(context.config), workspace=context.workspace)


def test_an_encoder_goes_on_from_a_run_of_another_architecture(context: Any) -> None:
    train(changed(context, epochs=1))
    child = _fresh(context, "deep-2")
    train(changed(child, epochs=1, architecture="FPN", encoder_weights="deep-1", freeze_encoder_epochs=1))
    own, taken = (load(one.path / "model").module().core.encoder.state_dict() for one in (context, child))
    assert all(torch.equal(own[name], taken[name]) for name in own)  # frozen, so as they came
    assert any(f"{len(own)} of {len(own)} tensors of the encoder" in event["text"] for event in child.of("log"))
    again = _fresh(context, "deep-4")  # whose encoder comes with the rest of the weights, so nothing is looked for
    assert (
        train(changed(again, epochs=1, start_from="deep-1", encoder_weights="nobody", architecture="Unet"))
        == "finished"
    )
    with pytest.raises(ConfigError, match="encoder_weights='nobody' is neither a run"):
        train(changed(_fresh(context, "deep-3"), encoder_weights="nobody"))


def test_the_best_epoch_is_that_of_the_measure_asked_for(context: Any) -> None:
    train(changed(context, epochs=4, best_by="loss", sample_every=2, learning_rate=1e-2))
    epochs = context.of("epoch")
    lowest = float("inf")
    for event in epochs:
        assert event["best"] == (event["val"]["loss"] < lowest)
        lowest = min(lowest, event["val"]["loss"])
    assert {event["epoch"] for event in context.of("sample")} == {2, 4}


@pytest.mark.parametrize(
    "settings",
    [
        {"slices": 3},
        {"scale": 0.5},
        {"accumulation": 2, "optimiser": "SGD"},
        {"levels": 3},
        {"intensities": "imagenet", "clip_deviations": 2.575},
    ],
)
def test_variants_train_and_predict(context: Any, world: Any, settings: dict[str, Any]) -> None:
    assert train(changed(context, epochs=1, **settings)) == "finished"
    out = load(context.path / "model").predict(world[0][None, :, :101, :77])
    assert out.shape == (2, 6, 101, 77)
    assert np.allclose(out.sum(0), 1, atol=1e-5)


def test_time_limit_plans_the_end(context: Any) -> None:
    assert train(changed(context, epochs=10_000, max_minutes=0.05)) == "finished"
    steps = context.of("step")
    assert 0 < len(steps) < 50_000  # how many depends on the machine
    assert context.of("epoch")[-1]["iteration"] == steps[-1]["iteration"]


def test_plan_leaves_room_for_validations_and_never_grows() -> None:
    state = TrainingState.begin(DeepConfig(epochs=100, steps_per_epoch=50, max_minutes=1))
    state.step = 10
    state.fit_into(50.0, step_s=0.5, validation_s=5.0)
    assert state.total == 10 + int(50 / (0.5 + 5.0 / 50))
    assert state.total / state.per_epoch >= 7
    again = TrainingState.from_json(state.to_json())
    assert again == state
    short = TrainingState.begin(DeepConfig(epochs=1, steps_per_epoch=5, max_minutes=60))
    short.fit_into(3600.0, step_s=0.1, validation_s=0.1)
    assert (short.total, short.per_epoch) == (5, 1)


@pytest.mark.parametrize("name", [name for name, config in presets.items() if isinstance(config, DeepConfig)])
def test_every_preset_trains_and_keeps_a_model(context: Any, name: str) -> None:
    """With a small encoder and window: what the presets are about is kept."""
    config = presets[name].changed(
        encoder="tu-test_efficientnet",
        encoder_weights=None,
        freeze_encoder_epochs=0,
        decoder_width=0.25,
        width=4,
        filters=None,
        window="3,64,64" if presets[name].volumetric else "1,64,64",
        batch_size=2,
        target="semantic",
        iterations=2,
        steps_per_epoch=1,
        max_minutes=None,
        threads=1,
        device="cpu",
        teacher="none",
    )
    context.config["settings"] = config.to_json()
    assert train(context) == "finished"
    assert all(math.isfinite(event["loss"]) for event in context.of("step"))
    assert (context.path / "model" / "spec.json").is_file()


def test_out_of_memory_halves_the_batch_and_keeps_the_step(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxloop.deep.networks.network import Network

    forward, sizes = Network.forward, []

    def scarce(self: Any, x: torch.Tensor) -> torch.Tensor:
        if self.training and x.device.type != "meta":
            sizes.append(len(x))
            if len(x) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, x)

    monkeypatch.setattr(Network, "forward", scarce)
    assert train(changed(context, batch_size=8, epochs=1)) == "finished"
    assert sizes == [8, 4, *[2] * 4 * 5]
    assert [event["iteration"] for event in context.of("step")] == [1, 2, 3, 4, 5]
    words = [event["text"] for event in context.of("warning") if "out of memory" in event["text"]]
    assert "batch_size 2 and accumulation 4" in words[-1]


@pytest.mark.parametrize(
    "words",
    ["CUDA out of memory", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "DefaultCPUAllocator: can't allocate memory"],
)
def test_out_of_memory_in_the_optimiser_begins_again_with_smaller_batches(
    context: Any, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    step, failed = torch.optim.AdamW.step, []

    def scarce(self: Any, *given: Any) -> Any:
        if not failed:
            failed.append(1)
            self.state[self.param_groups[0]["params"][0]]["step"] = torch.zeros(())  # what it keeps is half made
            raise RuntimeError(words)
        return step(self, *given)

    monkeypatch.setattr(torch.optim.AdamW, "step", scarce)
    assert train(changed(context, batch_size=4, epochs=1)) == "finished"
    assert [event["iteration"] for event in context.of("step")] == [1, 2, 3, 4, 5]
    assert "batch_size 2 and accumulation 2" in context.of("warning")[-1]["text"]


def test_out_of_memory_in_the_validation_leaves_the_run_going(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxloop.deep.training import training

    evaluate, failed = training.evaluate, []

    def scarce(*given: Any, **how: Any) -> Any:
        if not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return evaluate(*given, **how)

    monkeypatch.setattr(training, "evaluate", scarce)
    assert train(changed(context, batch_size=4)) == "finished"
    assert len(context.of("epoch")) == 2
    assert all(event["val"] for event in context.of("epoch"))


def test_out_of_memory_with_a_single_window_fails_with_advice(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxloop.deep.networks.network import Network

    def none(self: Any, x: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Network, "forward", none)
    monkeypatch.setattr("voxloop.deep.training.training.check_memory", lambda *_: None)
    with pytest.raises(RunError, match="smaller window"):
        train(context)


def test_what_cannot_fit_is_refused_before_the_first_step(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxloop.deep.begin.memory.available_memory", lambda: int(5e8))
    with pytest.raises(ConfigError, match="GB are free"):
        train(context)
    assert not context.of("step")
