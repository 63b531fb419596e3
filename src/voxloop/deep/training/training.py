"""A training of a network on windows of voxels: what it learns from, and what its epochs bring."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.material import Earlier, gather
from voxloop.deep.begin.memory import check_memory
from voxloop.deep.data.sampling import Mining
from voxloop.deep.networks.device import autocast
from voxloop.deep.networks.network import count_parameters
from voxloop.deep.objective.metrics import WindowScores
from voxloop.deep.objective.validation import HeldOutWindow, draw_sample, evaluate
from voxloop.deep.predict.model import write_files
from voxloop.deep.training.batches import Batches
from voxloop.deep.training.budget import TimeBudget
from voxloop.deep.training.deciding import Effort
from voxloop.deep.training.descent import Descent
from voxloop.deep.training.loop import TrainingLoop
from voxloop.deep.training.model_folder import LateSpec, write_model
from voxloop.deep.training.pseudo_labels import open_teachers
from voxloop.deep.training.saved import SavedTraining
from voxloop.deep.training.team import Team, own_device
from voxloop.runs.context import TaskContext
from voxloop.store.layout import RunPlace

#: seconds between looks at a teacher who is not done
_LOOK = 0.02


class Training(TrainingLoop):
    """One process's part of a training, from its start or its last checkpoint; call :meth:`run`, then :meth:`close`.

    Parameters
    ----------
    context
        Of the run: its folder, settings, orders, and where events go.
    team
        The processes that share every batch; most often this one alone.
    """

    _smaller = "use a smaller window, or a smaller network"
    _calmer = "use a smaller learning_rate, or precision='float32'"
    _config: DeepConfig

    def __init__(self, context: TaskContext, config: DeepConfig, team: Team) -> None:
        saved = SavedTraining(context, config, team.size)
        super().__init__(context, config, config, saved, team)
        earlier = Earlier.from_json(saved.state) if saved.resumed else None
        self._material = gather(context, config, device=own_device(config, team), earlier=earlier)
        self._mining = Mining(self._material.sampler) if config.hard_examples else None
        self._cells = sum(len(image.split.validation) for image in self._material.data.images)
        self._steps = self._descent = self._build_network()
        judge = partial(HeldOutWindow.of, loss=self._descent.criterion)
        self._validation = [judge(*window) for window in self._material.validation_windows()]
        self._budget = TimeBudget(config, len(self._validation))
        self._spec = LateSpec(self._material, self._descent.network)
        self._begin_or_go_on(saved)

    # ---------------------------------------------------------------------------------------------------- beginning

    def _build_network(self) -> Descent:
        material = self._material
        network = material.network(weights=not self._resumed)
        network.train()
        if not self._resumed:
            check_memory(network, self._config, material.window, material.device)
        return Descent(material, network, self._team, self._mining)

    def _begin_or_go_on(self, saved: SavedTraining) -> None:
        material, team = self._material, self._team
        self._classifier, self._pseudo_labels = open_teachers(material, self._folder, team, self._threads)
        self._take_up(saved, [info.name for info in material.data.classes])
        if self._pseudo_labels and saved.resumed:
            blocks, full = saved.state["pool"]
            self._pseudo_labels.restore(saved.tensors, blocks, full)
        self._descent.join_team()
        network = self._descent.network
        self._reporter.begin(
            material, count_parameters(network), self._threads, self._descent.kernels, resumed=saved.resumed
        )
        self._save_first()
        self._batches = Batches(
            material, self._pseudo_labels, team, self.state.batch, self._threads, self._descent.criterion.targets
        )

    def close(self) -> None:
        """End the threads, and tell the last steps."""
        self._batches.close()
        if self._classifier:
            self._classifier.close()
        if self._pseudo_labels:
            self._pseudo_labels.close()
        super().close()

    # ---------------------------------------------------------------------------------------------------- a step

    def _waits(self) -> bool:
        """Wait for pseudo-labels that are due by now; True where an order comes first."""
        pseudo_labels, classifier, state = self._pseudo_labels, self._classifier, self.state
        if not state.step:
            return False  # of strokes alone: whoever looks sees that it goes, and what goes wrong goes wrong at once
        if classifier and classifier.wanted:
            classifier.start()
            if state.step == 1 and self._wait(lambda: classifier.ready):
                return True  # nothing more is learnt before what the strokes tell at once
        if pseudo_labels is None or pseudo_labels.full:
            return False
        pseudo_labels.start()
        # a block an epoch, not when the machine is done: so a run can be repeated
        asked = state.step == 1 or state.step % state.per_epoch == 0
        due = asked and pseudo_labels.blocks < max(1, state.epoch)
        comes_first = due and self._wait(pseudo_labels.arrived)
        self._budget.judging_s = pseudo_labels.window_seconds * len(self._validation)
        return comes_first

    def _wait(self, ready: Callable[[], bool]) -> bool:
        """Wait; True where an order comes first. All of a team wait to the end, and hear orders at the next step."""
        while not ready():
            if self._team.size == 1 and self._context.peek():
                return True
            time.sleep(_LOOK)
        self._reporter.resume_clock()
        return False

    def _find_gradient(self, learning_rate: float) -> Tensor | None:
        return self._descent.find_gradient(self._batches, self.state, learning_rate)

    def _restart(self) -> None:
        self._batches.restart(self.state.batch)

    # ---------------------------------------------------------------------------------------------------- an epoch

    @property
    def _judges(self) -> bool:
        return bool(self._validation)

    def _train_scores(self) -> WindowScores:
        scores = self._descent.tally.scores()
        self._descent.restart_tally()
        return scores

    def _after_epoch(self) -> None:
        config, state, material = self._config, self.state, self._material
        if self._mining:
            self._mining.turn()
            self._batches.restart(state.batch)  # what was cut ahead knew other windows
        if self._pseudo_labels:
            with self._descent.average.evaluating() as network, autocast(material.device, material.precision):
                self._pseudo_labels.relabel(network, state.epoch, state.step / state.total)
        if config.keep_every and state.epoch % config.keep_every == 0 and self._team.leads:
            write_more = partial(write_files, spec=self._spec(), tensors=self._descent.average.module.state_dict())
            self._save(f"epoch-{state.epoch:05d}", write_more)

    def _goes_on_anyhow(self) -> bool:
        """Have the encoder learn from now on, where it was held and the rest learns nothing more."""
        plateau = self.state.plateau
        let_go = self.state.let_go()
        if let_go:
            self._reporter.log(f"no improvement in {plateau} epochs: from now on the encoder learns too")
        return let_go

    def _is_best(self, scores: WindowScores) -> bool:
        """Whether the weights of this epoch are to be kept."""
        by = self._config.best_by
        score = None if by == "loss" else scores.mean(by)
        return self.state.note_validation(
            score, scores.loss, self._cells, self._config.min_delta, strict=self._config.strict_best
        )

    def _validate(self) -> WindowScores:
        """Scores on the held-out windows; the first of them are drawn."""
        criterion, material, state = self._descent.criterion, self._material, self.state
        classes = material.data.classes
        drawn = self._config.samples if state.epoch % self._config.sample_every == 0 else 0
        with self._descent.average.evaluating() as network, autocast(material.device, material.precision):
            found, said = evaluate(network, self._validation, criterion, len(classes), together=state.batch, kept=drawn)
            scores: WindowScores = self._team.agree(found)
            judged = zip(self._validation, said, strict=False)
            samples = [(window.pixels, *criterion.scored(logits, window.labels)) for window, logits in judged]
        for number, (pixels, logits, labels) in enumerate(samples if self._team.leads else []):
            name = f"samples/{self.state.epoch:05d}-{number}.png"
            draw_sample(self._context.path / name, pixels[0], labels[0], logits[0], [info.color for info in classes])
            self._reporter.sample(name, number)
        return scores

    def _doubt(self, elapsed: float, step_s: float) -> str:
        return self._budget.warning(self.state, elapsed, step_s)

    def _plans_freely(self) -> bool:
        pseudo_labels = self._pseudo_labels
        return pseudo_labels is not None and self.state.epoch <= pseudo_labels.blocks + 1

    # ---------------------------------------------------------------------------------------------------- what is kept

    def _packed(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        pseudo_labels, mining = self._pseudo_labels, self._mining
        facts = {
            **self._material.to_json(),
            "pool": (pseudo_labels.blocks, pseudo_labels.full) if pseudo_labels else None,
            "mining": mining.to_json() if mining else None,
        }
        return pseudo_labels.tensors() if pseudo_labels else {}, facts

    def _put_back(self, saved: dict[str, Any]) -> None:
        if self._mining:
            self._mining.restore(saved["mining"])

    def _write_model(self) -> None:
        write_model(RunPlace(self._context.path).model, self._spec(), self._descent.average.module)

    def _last_word(self) -> None:
        """Which model is kept to predict with."""
        from voxloop.deep.training.settling import settle  # what it imports, the first step does not wait for

        minutes = self._reporter.clocked().elapsed / 60
        effort = Effort(steps=self.state.step, minutes=minutes, began_trained=bool(self._config.start_from))
        settle(self._context, self._material, self._descent.criterion, self._classifier, effort)
