"""What training from a workspace takes: the task of a learner, what its settings mean now, what follows, the round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voxloop.config import Config
from voxloop.errors import WorkspaceError, unknown
from voxloop.store.layout import Layout
from voxloop.store.teaching import freeze

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

#: what predicts when a run has ended; by name, since it lies above
_THEN = "voxloop.workspace.follow:predict"
#: stands for the images that a run learns from
LEARNT = "learnt"


def settled(
    ws: Workspace, config: Config, then_predict: str | Sequence[str] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a run, as JSON with the versions of sets that they mean now, and the facts that it needs."""
    facts = freeze(ws.store, config)
    pinned = {"training_set": "set", "validation_set": "validation_set"}
    named = {key: "{name}@{version}".format(**facts[of]) for key, of in pinned.items() if of in facts}
    if "constrain" in facts:
        named["constrain"] = "/".join(filter(None, (facts["constrain"]["level"], facts["constrain"]["class"])))
    settings = config.changed(level=facts["level"], **named).to_json()
    if then_predict is not None:
        facts |= {"then": _THEN, "then_predict": _to_predict(ws, then_predict, facts)}
    return settings, facts


def _to_predict(ws: Workspace, meant: str | Sequence[str], facts: dict[str, Any]) -> str | list[str]:
    """What ``ws.predict`` takes as image: a name, several names, or ``"*"``. Raises WorkspaceError."""
    if meant == "*":
        return "*"
    if meant == LEARNT and meant not in ws.images.names:
        rows = facts.get("rows") or [{"image": key.partition("/")[2]} for key in facts["labels"]]
        meant = [row["image"] for row in rows]
    names = list(dict.fromkeys([meant] if isinstance(meant, str) else meant))
    for name in names:
        if name not in ws.images.names:
            raise WorkspaceError(f"then_predict: {unknown('image', name, ws.images.names)}")
    if not names:
        raise WorkspaceError("then_predict: an empty list names no image; name one, or leave it out")
    return names[0] if len(names) == 1 else names


def log_round(ws: Workspace, run: Run) -> None:
    """A line of ``rounds.jsonl``: what a run learns from, how the last prediction fared on the new labels."""
    level = str(run.config["level"])
    facts: dict[str, Any] = {"run": run.name, "level": level, "labels": run.config["labels"]}
    last = next((p for p in reversed(list(ws.predictions.values())) if p.level == level and p.done == 1), None)
    if last is not None and last.image in ws.images.names:
        from voxloop.review import score_prediction

        score = score_prediction(Layout(ws.path), last, ws.labels(level, last.image))
        facts |= {"prediction": last.name, "score": score.to_json()}
    ws.rounds.append(**facts)
