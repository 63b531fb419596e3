"""A training on marked pictures: places, boxes, animals, classes. Knows not what is learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from voxloop.config.deep import DeepConfig
from voxloop.config.optimisation import OptimisationSettings
from voxloop.config.places import LoopSettings
from voxloop.deep.data.prefetch import Prefetcher
from voxloop.deep.networks.device import cores
from voxloop.deep.networks.network import count_parameters
from voxloop.deep.objective.optimisers import hold_encoder
from voxloop.deep.pose.scores import PlaceScores
from voxloop.deep.training.budget import TimeBudget
from voxloop.deep.training.loop import TrainingLoop
from voxloop.deep.training.saved import SavedTraining
from voxloop.deep.training.steps import WeightSteps
from voxloop.deep.training.team import Team
from voxloop.runs.context import TaskContext


class Subject(Protocol):
    """What a loop teaches."""

    @property
    def config(self) -> LoopSettings:
        """How, with what was left open in it settled."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        ...

    @property
    def precision(self) -> torch.dtype:
        """Number format of their forward pass."""
        ...

    @property
    def networks(self) -> nn.ModuleDict:
        """Those that learn."""
        ...

    @property
    def held(self) -> int:
        """How many pictures are held out."""
        ...

    @property
    def looked_at(self) -> int:
        """Windows that a look at these takes, for the budget of time."""
        ...

    @property
    def words(self) -> str:
        """What is learned from what, for the log."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Of classes or nodes."""
        ...

    @property
    def became(self) -> Mapping[str, Any]:
        """Settings that were left to the training, by name, and what they became."""
        ...

    def cut(self, index: int, count: int) -> Any:
        """The windows of a step: a function of seed and ``index`` alone. On the CPU, in memory
        from which a GPU copies while it computes; called from another thread."""
        ...

    def loss(self, cut: Any) -> Tensor:
        """How far the networks are off on these windows."""
        ...

    def judge(self, networks: nn.ModuleDict) -> tuple[PlaceScores, Any]:
        """Loss and measures on what is held out, and what was answered; networks in evaluation mode, no gradients."""
        ...

    def show(self, answered: Any, epoch: int, tell: Callable[[str, int], object]) -> None:
        """Draw some of what is held out, as it was answered; ``tell`` each path."""
        ...

    def keep(self, networks: nn.ModuleDict) -> None:
        """Write the model folder."""
        ...

    def last_word(self) -> None:
        """Tell what the kept model reaches."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What has been settled, for a checkpoint."""
        ...


class PictureLoop(TrainingLoop):
    """The :class:`TrainingLoop` of a subject; call :meth:`run`, then :meth:`close`."""

    _smaller = "use a smaller input_scale or fewer filters"
    _calmer = "use a smaller learning_rate"

    def __init__(self, context: TaskContext, subject: Subject, saved: SavedTraining) -> None:
        settings = _settings_of(subject.config)
        super().__init__(context, subject.config, settings, saved, Team())
        self._subject, self._networks = subject, subject.networks.train()
        self._steps = WeightSteps(self._networks, settings, subject.device, subject.precision, alone=True)
        self._budget = TimeBudget(settings, subject.looked_at)
        self._losses: list[Tensor] = []
        self._answered: Any = None
        self._take_up(saved, subject.names)
        self._prefetch = self._ahead()
        self._say(saved)
        self._save_first()
        self._reporter.resume_clock()

    def _say(self, saved: SavedTraining) -> None:
        emit, subject = self._context.emit, self._subject
        if saved.resumed:
            emit("resumed", step=self.state.step)
        self._reporter.log(
            f"{subject.words}; {count_parameters(self._networks) / 1e6:.1f} million weights, on {subject.device} with "
            f"{self._threads} threads"
        )
        emit("became", settings=dict(subject.became))
        if not subject.held and not saved.resumed:
            emit("warning", text="nothing is held out, so nobody knows how good this gets; label a second picture")

    def close(self) -> None:
        """End the threads, and tell the last steps."""
        self._prefetch.close()
        super().close()

    def _ahead(self) -> Prefetcher[Any]:
        batch, spare = self.state.batch, self._subject.device.type != "cpu" or cores() > 1
        return Prefetcher(lambda index: self._subject.cut(index, batch), int(spare))

    def _restart(self) -> None:
        self._prefetch.close()
        self._prefetch = self._ahead()

    def _find_gradient(self, learning_rate: float) -> Tensor | None:
        self._steps.begin(learning_rate)
        hold_encoder(self._networks, self.state.epoch < self.state.held_epochs)
        loss = self._steps.within_memory(self._descend)
        if loss is not None:
            self._losses.append(loss)
        return loss

    def _descend(self) -> Tensor:
        state = self.state
        total = torch.zeros((), device=self._subject.device)
        for micro in range(state.accumulation):
            loss = self._subject.loss(self._prefetch(state.step * state.accumulation + micro))
            total += self._steps.add_gradient(loss, state.accumulation)
        return total

    @property
    def _judges(self) -> bool:
        return bool(self._subject.held)

    def _train_scores(self) -> PlaceScores:
        mean = float(torch.stack(self._losses).mean()) if self._losses else float("nan")
        self._losses = []
        return PlaceScores(mean)

    def _validate(self) -> PlaceScores:
        with self._steps.average.evaluating() as networks:
            told, self._answered = self._subject.judge(networks)  # type: ignore[arg-type]
        return told

    def _is_best(self, scores: PlaceScores) -> bool:
        best = self.state.note_validation(None, scores.loss, self._subject.held, self._config.min_delta)
        if best:
            self._subject.show(self._answered, self.state.epoch, self._reporter.sample)
        return best

    def _after_epoch(self) -> None:
        self._answered = None

    def _packed(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {}, self._subject.to_json()

    def _put_back(self, saved: dict[str, Any]) -> None:
        self._losses = []

    def _write_model(self) -> None:
        self._subject.keep(self._steps.average.module)  # type: ignore[arg-type]

    def _last_word(self) -> None:
        if self._subject.held:
            self._subject.last_word()


def _settings_of(config: LoopSettings) -> DeepConfig:
    """What optimiser, schedule and budget read, as all trainings have it."""
    shared = {name: getattr(config, name) for name in OptimisationSettings.model_fields}
    shared["encoder_rate"] = config.encoder_rate or 1.0  # ImageNet's are not gone about more gently here
    weights = getattr(config, "encoder_weights", None) or None
    return DeepConfig(
        **shared,
        patience=config.patience,
        start_from=config.start_from,
        encoder_weights=weights,
        precision=config.precision,
    )
