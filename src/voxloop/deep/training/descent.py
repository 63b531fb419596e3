"""Steps of a network on windows of voxels. Knows no epochs, no files and no orders."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from voxloop.deep.begin.material import Material
from voxloop.deep.data.sampling import Mining
from voxloop.deep.networks.device import autocast, lay_out
from voxloop.deep.networks.network import AnyNetwork
from voxloop.deep.objective.optimisers import hold_encoder
from voxloop.deep.objective.validation import Tally
from voxloop.deep.training.batches import Batches
from voxloop.deep.training.state import TrainingState
from voxloop.deep.training.steps import WeightSteps
from voxloop.deep.training.team import Team


class Descent(WeightSteps):
    """A network, its running average, and the optimiser that moves it.

    Parameters
    ----------
    network
        On its device, in training mode.
    mining
        What is told the loss of each window; None where nobody asks.
    """

    def __init__(self, material: Material, network: AnyNetwork, team: Team, mining: Mining | None) -> None:
        super().__init__(network, material.config, material.device, material.precision, alone=team.size == 1)
        self._material, self._team, self._mining = material, team, mining
        self.network = network
        self.criterion = material.criterion()
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
        self.begin(rate)
        hold_encoder(self.network, state.epoch < state.held_epochs)
        return self.within_memory(lambda: self._descend(batches, state))

    def restart_tally(self) -> None:
        """Count from nothing, at the start of an epoch."""
        self.tally = self._new_tally()

    def pack(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and state for a checkpoint."""
        tensors, state = super().pack()
        return tensors, {**state, "tally": self.tally.to_json()}

    def restore(self, tensors: dict[str, Tensor], saved: dict[str, Any]) -> None:
        """Put back what :meth:`pack` gave."""
        super().restore(tensors, saved)
        self.tally.restore(saved["tally"])

    def _new_tally(self) -> Tally:
        return Tally(len(self._material.data.classes), self._material.device)

    def _descend(self, batches: Batches, state: TrainingState) -> Tensor:
        total = torch.zeros((), device=self._material.device)
        for micro in range(state.accumulation):
            loss = self._loss(batches, state.step * state.accumulation + micro)
            total += self.add_gradient(loss, state.accumulation)
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
