"""The names of all encoders that fit the network, asked of the helper once somebody looks for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voxloop.machine import machine
from voxloop.panels.monitor.previews import Ask

#: group of the form that holds the field
GROUP = "Network"


class EncoderNames:
    """Fills the suggestions of a form's encoder.

    Parameters
    ----------
    ask
        Puts a question to the helper.
    offer
        Takes the names.
    """

    def __init__(self, ask: Ask, offer: Callable[[list[str]], object]) -> None:
        self._ask, self._offer = ask, offer
        self._asked = ""
        self._wanted = False

    def open(self, group: str, architecture: str) -> None:
        """A group of the form was opened."""
        if group == GROUP and not machine().small:  # the names come from what takes hundreds of megabytes
            self._wanted = True
            self.follow(architecture)

    def follow(self, architecture: str) -> None:
        """Another architecture takes other encoders."""
        if self._wanted and architecture != self._asked:
            self._asked = architecture
            self._ask("encoders", self._offer_names, self._failed, architecture=architecture)

    def _offer_names(self, answer: dict[str, Any]) -> None:
        if answer["encoders"]:
            self._offer(answer["encoders"])

    def _failed(self, _: BaseException) -> None:
        """The few that are always suggested stay; the next opening asks again."""
        self._asked = ""
