"""What is said of one item, and which words are allowed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from voxloop.errors import LabelError, unknown
from voxloop.given import shown
from voxloop.store.values import text

STATUSES = ("to do", "in progress", "done")
#: empty: nobody said
QUALITIES = ("", "good", "unclear", "bad")
#: what may be said of an item
FIELDS = ("status", "quality", "note", "assignee")
#: letters of a note or a name
_LONGEST = 10_000


@dataclass(frozen=True, slots=True)
class ItemEntry:
    """What is said of an item; ``labels`` are values of classes by the folder of their level."""

    status: str = STATUSES[0]
    quality: str = ""
    note: str = ""
    assignee: str = ""
    labels: Mapping[str, int] = field(default_factory=dict)
    author: str = ""
    time: str = ""

    def changed(self, fields: Mapping[str, Any], author: str, time: str) -> ItemEntry:
        """The same with other fields; ``labels`` are taken one by one, 0 takes one away."""
        plain = {key: value for key, value in fields.items() if key in FIELDS}
        labels = self.labels
        if "labels" in fields:
            labels = {key: value for key, value in {**self.labels, **fields["labels"]}.items() if value}
        return replace(self, **plain, labels=labels, author=author, time=time)

    def to_json(self) -> dict[str, Any]:
        """What is said, without who and when."""
        plain = {key: getattr(self, key) for key in FIELDS}
        return {**plain, "labels": dict(self.labels)} if self.labels else plain


NOTHING = ItemEntry()


def checked(
    status: object = None, quality: object = None, note: object = None, assignee: object = None
) -> dict[str, str]:
    """The fields that are given, as they are kept. Raises LabelError, naming what is allowed."""
    fields: dict[str, str] = {}
    if status is not None:
        fields["status"] = _word("status", status, STATUSES)
    if quality is not None:
        fields["quality"] = _word("quality", quality, QUALITIES)
    for what, given in (("note", note), ("assignee", assignee)):
        if given is None:
            continue
        said = text(what, given).replace("\r\n", "\n").strip()
        if len(said) > _LONGEST or "\0" in said:
            raise LabelError(f"{what} has {len(said):,} letters, {_LONGEST:,} at most and no NUL among them")
        if what == "assignee":
            said = " ".join(said.split())
        fields[what] = said.encode(errors="replace").decode()
    return fields


def _word(what: str, given: object, allowed: tuple[str, ...]) -> str:
    if not isinstance(given, str):
        raise LabelError(f"{what}={shown(given)} is no word; use one of {', '.join(map(repr, allowed))}")
    said = " ".join(given.replace("_", " ").replace("-", " ").lower().split())
    said = {"todo": "to do", "open": "to do", "finished": "done"}.get(said, said)
    if said not in allowed:
        raise LabelError(f"{unknown(what, given, [one for one in allowed if one])}")
    return said


def read_fields(given: object) -> dict[str, Any]:
    """The fields of a line that somebody else may have written: what is not allowed is left out."""
    if not isinstance(given, dict):
        return {}
    fields: dict[str, Any] = {}
    for key in FIELDS:
        if key in given:
            try:
                fields |= checked(**{key: given[key]})
            except LabelError:
                continue
    labels = given.get("labels")
    if isinstance(labels, dict):
        fields["labels"] = {
            str(key): value for key, value in labels.items() if isinstance(value, int) and 0 <= value < 2**31
        }
    return fields
