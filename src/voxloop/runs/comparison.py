"""Several runs beside each other: where each came from, which settings differ. Reads configs, computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voxloop.config.base import flat
from voxloop.errors import RunError

if TYPE_CHECKING:
    from voxloop.runs.run import Run

#: settings that say where a run happens, not what it learns
_ELSEWHERE = ("device", "threads", "workers", "checkpoint_minutes", "samples", "tensorboard", "sinks")


def ancestors(runs: Mapping[str, Run], name: str) -> list[str]:
    """The chain of parents of a run, oldest first, without itself; a folder or a deleted run ends it."""
    chain: list[str] = []
    run = _run(runs, name)
    while run is not None:
        parent = run.config.get("parent")
        if not parent or str(parent) in chain or str(parent) == name:
            break
        chain.append(str(parent))
        run = _run(runs, str(parent))
    return chain[::-1]


def settings_of(run: Run) -> dict[str, Any]:
    """The settings of a run with nested ones as ``"augmentation.flip.on"``, and the set that it learnt from."""
    return flat(run.config.get("settings") or {})


def differences(runs: Sequence[Run], *, everything: bool = False) -> dict[str, list[Any]]:
    """The settings in which runs differ, each with the value of every run (None where a run does not have it).

    Parameters
    ----------
    everything
        Also those that say where a run happens (device, threads, workers, ...).
    """
    all_settings = [settings_of(run) for run in runs]
    names = list(dict.fromkeys(name for settings in all_settings for name in settings))
    out = {}
    for name in names:
        values = [settings.get(name) for settings in all_settings]
        if any(value != values[0] for value in values) and (everything or name.split(".")[0] not in _ELSEWHERE):
            out[name] = values
    return out


def usual(values: Sequence[Any]) -> Any:
    """The value that most runs have, the first of equals: what the others are set off from."""
    keys = [repr(value) for value in values]
    return values[keys.index(max(keys, key=keys.count))]


def _run(runs: Mapping[str, Run], name: str) -> Run | None:
    try:
        return runs[name]
    except RunError:
        return None
