"""How long somebody was at work on labels, from the times in the journal. Reads lines, no voxels.

The time from one edit to the next counts as work, up to half a minute; what is longer was a pause, of which half a
minute counts. The first edit of all counts as :data:`FIRST_S`. Strokes of the simulated annotator count with what its
time model says, since it paints in no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxloop.store import Labels

#: a longer time between two edits was a pause
PAUSE_S = 30.0
#: what an edit counts before which there is none
FIRST_S = 3.0
#: tools that paint nothing by hand
_BY_NO_HAND = ("accept", "load", "write", "restore", "doctor")


@dataclass(frozen=True, slots=True)
class Work:
    """What was done to labels between two states.

    Attributes
    ----------
    strokes : painted by hand and not taken back; joined edits are one.
    accepted : edits that a prediction made.
    seconds : of annotation.
    simulated : whether nobody painted some of them.
    """

    strokes: int = 0
    accepted: int = 0
    seconds: float = 0.0
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """An edit as the journal has it: its time in seconds since 1970, and whether the simulated annotator made it."""

    sequence: int
    tool: str
    time: float
    joined: bool = False
    of: tuple[int, ...] = ()
    reverse: bool = False
    simulated: bool = False


def lines_of(labels: Labels, first: int, last: int, simulated: Iterable[Mapping[str, Any]] = ()) -> list[Line]:
    """Edits ``first`` to ``last`` of a label array. ``simulated``: what :meth:`RoundLog.simulated` gives."""
    own = [one for one in simulated if (one.get("level"), one.get("image")) == (labels.level.name, labels.image)]
    spans = [(int(one["first"]), int(one["last"])) for one in own]
    lines = []
    for sequence in range(first, last + 1):
        entry = labels.history(sequence)
        of = entry.get("of")
        lines.append(
            Line(
                sequence=sequence,
                tool=str(entry.get("tool")),
                time=_seconds(entry.get("time")),
                joined=bool(entry.get("joined")),
                of=tuple(of) if isinstance(of, list) else () if of is None else (int(of),),
                reverse=bool(entry.get("reverse")),
                simulated=any(start <= sequence <= stop for start, stop in spans),
            )
        )
    return lines


def work_of(arrays: Sequence[Sequence[Line]], before: float | None, modelled: float = 0.0) -> Work:
    """What the edits of several label arrays, each in order, come to.

    Parameters
    ----------
    before
        When the last edit was made, or the last training begun, before all of these; None where there was none.
    modelled
        Seconds that the simulated strokes among them count.
    """
    seconds, last = modelled, before
    simulated = any(line.simulated for lines in arrays for line in lines)
    for line in sorted((line for lines in arrays for line in lines), key=lambda line: line.time):
        # beside a simulated annotator nobody sits who looks at what is accepted, or waits for what is computed
        if not line.simulated and not (simulated and line.tool in _BY_NO_HAND):
            seconds += FIRST_S if last is None else min(max(line.time - last, 0.0), PAUSE_S)
        last = line.time
    return Work(
        strokes=sum(_strokes(lines) for lines in arrays),
        accepted=sum(line.tool == "accept" and not line.of for lines in arrays for line in lines),
        seconds=seconds,
        simulated=simulated,
    )


def _strokes(lines: Sequence[Line]) -> int:
    """Strokes that stand at the end; what is taken back that was made before these counts nothing."""
    standing: dict[int, bool] = {}
    for line in lines:
        if line.of:
            for sequence in line.of:
                if sequence in standing:
                    standing[sequence] = not line.reverse
        elif line.tool not in _BY_NO_HAND and not line.joined:
            standing[line.sequence] = True
    return sum(standing.values())


def _seconds(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
