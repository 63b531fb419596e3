"""The button that starts a training, what is said of it, what follows, the same as Python or for a shell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import ipywidgets as w

from voxloop.config import Config
from voxloop.config.presets import code_of
from voxloop.panels.base.beside import FieldFault, name_fault
from voxloop.panels.base.panel import CopyCode, Panel, button, column, labelled, row, show, spacer
from voxloop.workspace.train import LEARNT


class StartBar:
    """Train, a name and a note, what is predicted then, 'Copy as code' and 'Copy as command line'.

    Starts nothing itself.

    Parameters
    ----------
    owner
        Whose part it is.
    train
        What the button does.
    changed
        Called when what is asked for beside the settings changed.
    taken
        Names of runs that there are.
    """

    def __init__(
        self,
        owner: Panel,
        train: Callable[[], object],
        changed: Callable[[], object],
        taken: Callable[[], Collection[str]],
    ) -> None:
        self.button = button("Train", owner.handler(train), kind="primary", icon="play")
        self.name = w.Text(placeholder="name (optional)", tooltip="What the run is called", continuous_update=False)
        self.note = w.Text(
            placeholder="note (optional)",
            tooltip="What this run is for, in your words; run.note changes it later",
            continuous_update=False,
        )
        self.copy_code = CopyCode()
        self.copy_command = CopyCode(
            label="Copy as command line", about="The same from a terminal, or as a job on a cluster:"
        )
        self.then = w.Dropdown(
            **labelled(
                "Then predict", "Once it has finished, or is stopped with its model saved, with the notebook closed too"
            )
        )
        self.offer(())
        for widget in (self.name, self.note, self.then):
            widget.observe(owner.handler(changed), "value")
        self._name_line = FieldFault(owner, self.name, lambda name: name_fault(name, taken(), "run"))
        copies = row(self.copy_code, self.copy_command, spacer(), classes=["vx-copies"])
        self.widget = column(row(self.button, self.name, self.note), self._name_line.widget, self.then, copies)

    def offer(self, images: Sequence[str]) -> None:
        """Offer what may be predicted then, of these images."""
        options: tuple[tuple[str, str], ...] = (("nothing", ""), *((name, name) for name in images))
        if len(images) > 1:
            options = (("nothing", ""), ("the images it learns from", LEARNT), ("every image", "*"))
        if self.then.options != options:
            chosen = self.then.value
            self.then.options = options
            self.then.value = chosen if chosen in [value for _, value in options] else ""

    def resumes(self, resumes: bool) -> None:
        """Say what the button does; of a run that goes on all was said before."""
        self.button.description = "Resume" if resumes else "Train"
        for widget in (self.name, self.note, self.then):
            show(widget, not resumes)

    @property
    def arguments(self) -> dict[str, Any]:
        """What ``ws.train`` is given beside the settings."""
        arguments = {"name": self.name.value.strip(), "note": self.note.value.strip(), "then_predict": self.then.value}
        return {name: value for name, value in arguments.items() if value}

    def code_of(self, config: Config) -> str:
        """The line of Python that trains with ``config``."""
        arguments = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        return f"run = ws.train({code_of(config)}{arguments})"

    def clear(self) -> None:
        """What was said of one run is not said of the next."""
        self.name.value = self.note.value = ""
