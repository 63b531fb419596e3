"""What a training of places teaches: labelled frames and volumes, and the networks of its plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from voxloop.config.detect import DetectConfig
from voxloop.config.pose import PoseConfig
from voxloop.deep.begin.starting import ancestor, weights_named
from voxloop.deep.networks.device import autocast, lay_out, move_network, resolve_device, resolve_precision
from voxloop.deep.pose import judging
from voxloop.deep.pose.backbone import BackboneConfig
from voxloop.deep.pose.became import settings_became
from voxloop.deep.pose.beginning import begin_with, settle_encoder, tell_origin
from voxloop.deep.pose.finding import Finder, Found
from voxloop.deep.pose.last_word import last_word
from voxloop.deep.pose.lessons import Lesson, MapLoss, Teacher
from voxloop.deep.pose.model import build_networks, load, spec_of
from voxloop.deep.pose.pictures import Reader, open_album, settle_grays
from voxloop.deep.pose.plan import PlacePlan, plan_of
from voxloop.deep.pose.scores import PlaceScores
from voxloop.deep.pose.split import hold_out
from voxloop.deep.training.model_folder import write_model
from voxloop.deep.training.saved import SavedTraining
from voxloop.deep.transfer import runtime
from voxloop.errors import ConfigError, ModelError
from voxloop.runs.context import TaskContext
from voxloop.store.layout import RunPlace

#: held-out pictures that are looked at after every epoch, at most; at the end all are
_JUDGED = 32


class PlaceSubject:
    """The :class:`voxloop.deep.pose.loop.Subject` of a :class:`PoseConfig` or a :class:`DetectConfig`."""

    def __init__(self, context: TaskContext, config: PoseConfig | DetectConfig, saved: SavedTraining) -> None:
        self._context = context
        self._learner = "pose" if isinstance(config, PoseConfig) else "detect"
        self._asked = config
        self.device = resolve_device(config.device)
        self.precision = resolve_precision(config.precision, self.device)
        self._album = open_album(context.workspace, {**context.config, "as": self._learner})
        self._learnt, self._held = hold_out(self._album.pictures, config.validation_share, config.seed)
        if saved.state:
            self.plan = PlacePlan.from_json(saved.state["plan"])
            self._statistics: dict[str, Any] = saved.state["statistics"]
            self.config = config = settle_encoder(config, self._album, self.plan.stages[-1].backbone)
        else:
            earlier = _network_of(context, config)
            self.config = config = settle_encoder(config, self._album, earlier)
            if config.start_from and earlier is not None:
                _check_encoder(config, earlier.encoder)
            self.plan = plan_of(config, self._album)
            self._statistics = settle_grays(self._learnt)
        self._reader = Reader.of(self._statistics)
        self._criterion = MapLoss(config, exclusive=self.plan.exclusive)
        self.networks = self._build(resumed=bool(saved.state))
        self._teachers = {
            stage.name: Teacher(self.plan, stage, self._learnt, self._reader, config, number)
            for number, stage in enumerate(self.plan.stages)
        }
        self._examples = {name: teacher.examples(self._held) for name, teacher in self._teachers.items()}

    def _build(self, *, resumed: bool) -> nn.ModuleDict:
        config = self.config
        fresh = not resumed and not config.start_from
        weights = weights_named(config.encoder_weights, self._context) if fresh else None
        networks: nn.ModuleDict = build_networks(self.plan, weights)
        tell_origin(networks, self._context)
        if config.start_from and not resumed:
            begin_with(networks, self._context, config.start_from, load)
        for name in list(networks.keys()):
            networks[name] = move_network(networks[name], self.device)
        return networks

    # ------------------------------------------------------------------------------------------------ what it says

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def looked_at(self) -> int:
        return sum(len(own) for own in self._examples.values())

    @property
    def names(self) -> tuple[str, ...]:
        return self.plan.names

    @property
    def words(self) -> str:
        windows = " and ".join(
            f"{stage.name} at {stage.scale[-1]:.3g} times, windows of {' x '.join(map(str, stage.window))}"
            for stage in self.plan.stages
        )
        count = sum(len(picture.places) for picture in self._learnt)
        return (
            f"{self.plan.pipeline}: {windows}; {len(self._learnt)} pictures with {count} labelled teach, "
            f"{len(self._held)} are held out"
            + (f"; {self.plan.why_turned}" if self.plan.why_turned else "")
            + (f"; the encoder is {encoder}" if (encoder := self.plan.stages[-1].backbone.encoder) else "")
            + ("; pictures differ in exposure: each is brought to the same" if "exposure" in self._statistics else "")
        )

    @property
    def became(self) -> dict[str, str | float]:
        return settings_became(self._asked, self.plan, self._tolerance)

    def to_json(self) -> dict[str, Any]:
        return {"plan": self.plan.to_json(), "statistics": self._statistics}

    # ------------------------------------------------------------------------------------------------ what it teaches

    def cut(self, index: int, count: int) -> dict[str, Lesson]:
        lessons = {name: teacher.lesson(index, count) for name, teacher in self._teachers.items()}
        beside = runtime(self.device) is not None
        return {name: lesson.pinned() for name, lesson in lessons.items()} if beside else lessons

    def loss(self, cut: dict[str, Lesson]) -> Tensor:
        total = torch.zeros((), device=self.device)
        for name, lesson in cut.items():
            there = lesson.to(self.device)
            with autocast(self.device, self.precision):
                answer = self.networks[name](lay_out(there.pixels))
            total = total + self._criterion(answer, there)
        return total

    # ------------------------------------------------------------------------------------------------ what it reaches

    def judge(self, networks: nn.ModuleDict) -> tuple[PlaceScores, list[Found]]:
        loss = judging.loss_of(networks, self._examples, self._criterion)  # type: ignore[arg-type]
        judged = self._held[:_JUDGED]
        finder = Finder(self.plan, dict(networks.items()), self._reader, self.device, self.precision)
        found = judging.look(finder, self.plan, judged)
        return PlaceScores(loss, judging.measures(found, self.plan, judged, self._tolerance)), found

    def show(self, answered: list[Found], epoch: int, tell: Callable[[str, int], object]) -> None:
        shown = list(zip(answered, self._held, strict=False))[: self.config.samples]
        for number, (found, picture) in enumerate(shown):
            name = f"samples/{epoch:05d}-{number}.png"
            judging.draw_places(self._context.path / name, picture, found, self.plan)
            tell(name, number)

    def keep(self, networks: nn.ModuleDict) -> None:
        album = self._album
        spec = spec_of(self.plan, self._learner, album.colors, album.channels, album.spacing_um, self._statistics)
        write_model(RunPlace(self._context.path).model, spec, networks)

    def last_word(self) -> None:
        last_word(
            self._context,
            self.config,
            self._held,
            self._learnt,
            self._reader,
            self._tolerance,
            self.device,
            self.precision,
        )

    @property
    def _tolerance(self) -> float:
        asked = getattr(self.config, "tolerance", "auto")
        stage = self.plan.stages[-1]
        return 2 * stage.sigma[-1] / stage.scale[-1] if asked == "auto" else float(asked)


def _check_encoder(config: PoseConfig | DetectConfig, earlier: str) -> None:
    """Raise ConfigError where the weights to start from are of another encoder."""
    if earlier != config.encoder:
        raise ConfigError(
            f"start_from={config.start_from!r} has learned with {_named(earlier)}, and this training is to have "
            f"{_named(config.encoder)}; use encoder={earlier!r}"
        )


def _named(encoder: str) -> str:
    return f"encoder {encoder!r}" if encoder else "the plain U-Net"


def _network_of(context: TaskContext, config: PoseConfig | DetectConfig) -> BackboneConfig | None:
    """The network of an earlier run, or model folder, whose weights a training begins with; None without such one."""
    given = config.start_from or config.encoder_weights
    if not given or given == "imagenet" or (not config.start_from and Path(given).suffix):
        return None
    try:
        return load(ancestor(given, context)).plan.stages[-1].backbone
    except (ConfigError, ModelError):  # said where its weights are taken
        return None
