"""The button that starts a training, what its run is called, and the same as Python or for a shell. Starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from voxloop.config import Config
from voxloop.panels.panel import CopyCode, Panel, button, classed, column, row, spacer


class StartBar:
    """Train, a name, 'Copy as code' and 'Copy as command line'.

    Parameters
    ----------
    owner
        Whose part it is.
    train
        What the button does.
    changed
        Called when what is asked for beside the settings changed.
    """

    def __init__(self, owner: Panel, train: Callable[[], object], changed: Callable[[], object]) -> None:
        self.button = button("Train", owner.handler(train), kind="primary", icon="play")
        self.name = w.Text(placeholder="name (optional)", tooltip="What the run is called", continuous_update=False)
        self.copy_code = CopyCode()
        self.copy_command = CopyCode(
            label="Copy as command line", about="The same from a terminal, or as a job on a cluster:"
        )
        self._said = (self.name,)
        for widget in self._said:
            widget.observe(owner.handler(changed), "value")
        copies = row(self.copy_code, self.copy_command, spacer(), classes=["vx-copies"])
        self.widget = column(row(self.button, classed(self.name, "vx-grow")), copies)

    @property
    def arguments(self) -> dict[str, Any]:
        """What ``ws.train`` is given beside the settings."""
        given = {"name": self.name.value.strip()}
        return {name: value for name, value in given.items() if value}

    def code_of(self, config: Config) -> str:
        """The line of Python that trains with ``config``."""
        given = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        return f"run = ws.train({config.code()}{given})"

    def clear(self) -> None:
        """What was said of one run is not said of the next."""
        self.name.value = ""
