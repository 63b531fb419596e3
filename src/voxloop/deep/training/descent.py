"""The weights of a training, and how a step changes them. Knows no epochs, no files and no orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from voxloop.deep.begin.material import Material
from voxloop.deep.data.sampling import Mining
from voxloop.deep.networks.device import autocast, lay_out, tune
from voxloop.deep.networks.network import AnyNetwork
from voxloop.deep.objective.optimisers import clip_gradient, hold_encoder
from voxloop.deep.objective.optimisers import optimiser as make_optimiser
from voxloop.deep.objective.validation import Tally
from voxloop.deep.training import checkpoint
from voxloop.deep.training.averaging import WeightAverage
from voxloop.deep.training.batches import Batches
from voxloop.deep.training.shortage import within_memory
from voxloop.deep.training.state import TrainingState
from voxloop.deep.training.team import Team

T = TypeVar("T")


class Descent:
    """A network, its running average, and the optimiser that moves it.

    Parameters
    ----------
    network
        On its device, in training mode.
    mining
        What is told the loss of each window; None where nobody asks.
    """

    def __init__(self, material: Material, network: AnyNetwork, team: Team, mining: Mining | None) -> None:
        self._material, self._team, self._mining = material, team, mining
        self.network = network
        self.kernels = tune(material.device, material.config.precision)
        self.average = WeightAverage(network, material.config.average_weights)
        self.criterion = material.criterion()
        self._optimiser = make_optimiser(material.config, network)
        self._scaler = self._new_scaler()
        self._shared: nn.Module = network  # what is called in its place, in a team
        self.tally = self._new_tally()

    def join_team(self) -> None:
        """Have gradients averaged over all processes from now on, and the network compiled where that is asked for."""
        self._shared = self._team.joined(self.network)
        if self._material.config.compile_network:
            self._shared = torch.compile(self._shared)  # type: ignore[assignment]

    def find_gradient(self, batches: Batches, state: TrainingState, rate: float) -> Tensor | None:
        """Add up the gradients of a step that will be taken at a learning rate.

        Returns
        -------
        Tensor or None
            The loss; None where memory did not suffice, and nothing is kept.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group.get("share", 1.0)
        hold_encoder(self.network, state.epoch < state.held_epochs)
        self._optimiser.zero_grad(set_to_none=True)
        return self.within_memory(lambda: self._descend(batches, state))

    def apply_gradient(self, step: int) -> bool:
        """Take the step; False where memory did not suffice, and what the optimiser keeps may be half made."""
        return self.within_memory(lambda: self._apply(step)) is not None

    def within_memory(self, act: Callable[[], T]) -> T | None:
        """What ``act`` gives; None where there was not enough memory for it, which is given back."""
        if self._team.size > 1:
            return act()
        return within_memory(act, self._optimiser, self._material.device)

    def restart_tally(self) -> None:
        """Count from nothing, at the start of an epoch."""
        self.tally = self._new_tally()

    def pack(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and state for a checkpoint."""
        tensors, groups = checkpoint.pack(self.network, self.average.module, self._optimiser)
        scaler = self._scaler.state_dict() if self._scaler.is_enabled() else None
        return tensors, {"groups": groups, "tally": self.tally.to_json(), "scaler": scaler}

    def restore(self, tensors: dict[str, Tensor], saved: dict[str, Any]) -> None:
        """Put back what :meth:`pack` gave."""
        checkpoint.unpack(tensors, saved["groups"], self.network, self.average.module, self._optimiser)
        self.tally.restore(saved["tally"])
        self._scaler = self._new_scaler()  # one that failed in the middle of a step knows of half a step
        if saved.get("scaler") and self._scaler.is_enabled():
            self._scaler.load_state_dict(saved["scaler"])

    def _new_scaler(self) -> GradScaler:
        """Keeps gradients within what float16 can hold; idle in any other format."""
        return GradScaler(self._material.device.type, enabled=self._material.precision == torch.float16)

    def _new_tally(self) -> Tally:
        return Tally(len(self._material.data.classes), self._material.device)

    def _apply(self, step: int) -> bool:
        self._scaler.unscale_(self._optimiser)
        if self._material.config.gradient_clip:
            clip_gradient(self.network, self._material.config.gradient_clip)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self.average.update(step)
        return True

    def _descend(self, batches: Batches, state: TrainingState) -> Tensor:
        total = torch.zeros((), device=self._material.device)
        for micro in range(state.accumulation):
            loss = self._loss(batches, state.step * state.accumulation + micro)
            self._scaler.scale(loss / state.accumulation).backward()
            total += loss.detach() / state.accumulation
        return total

    def _loss(self, batches: Batches, index: int) -> Tensor:
        """The loss of a batch; windows with pseudo-labels weigh ``teacher_weight`` times those labelled by hand."""
        material, criterion, batch = self._material, self.criterion, batches(index)
        with autocast(material.device, material.precision):
            logits = self._shared(lay_out(batch.pixels))
        logits, labels = self._team.whole(logits, batch.labels)
        count, made = batch.by_hand, batch.made
        if not count:
            return criterion(logits, labels)
        loss, scored, truth = criterion.loss_and_scored(logits[:count], labels[:count], made)
        self.tally.add(scored, truth, loss)
        if self._mining:
            with torch.no_grad():
                each = [self._loss_of_window(logits, labels, made, i) for i in range(count)]
            self._mining.note(index, torch.stack(each))
        if not batch.pseudo:
            return loss
        share = material.config.teacher_weight / (1 + material.config.teacher_weight)
        return (1 - share) * loss + share * criterion(logits[count:], labels[count:])

    def _loss_of_window(self, logits: Tensor, labels: Tensor, made: Any, index: int) -> Tensor:
        own = slice(index, index + 1)
        return self.criterion(logits[own], labels[own], made and tuple(part[own] for part in made))
