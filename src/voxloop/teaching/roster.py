"""All workspaces of a room: found below a folder, read side by side. Takes no lock, opens no workspace."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.errors import WorkspaceError
from voxloop.given import path_of
from voxloop.store.values import number, text
from voxloop.teaching.seat import Seat, SeatReader

if TYPE_CHECKING:
    import pandas as pd

#: how deep below the folder a workspace is looked for, entries of a folder that are looked at, seconds between searches
_DEEP, _ENTRIES, _AGAIN_S = 3, 2000, 10.0

#: troubles that are counted and not told one by one
_QUIETLY = ("", "quiet", "broken")


class Roster:
    """The seats of a room.

    Parameters
    ----------
    folder
        With a folder a learner (or their homes), and workspaces in these, up to three levels down.
    within
        Where in each learner's folder the workspace lies, as ``"workspaces/lesson"``; who has none there is not listed.
        Empty: all workspaces that are found.
    quiet_minutes
        Without a stroke, an answer or a run, after which a seat counts as quiet.

    Raises
    ------
    WorkspaceError
        There is no such folder.
    """

    def __init__(self, folder: str | Path, *, within: str = "", quiet_minutes: float = 10.0) -> None:
        self.folder = path_of(folder, error=WorkspaceError).expanduser().absolute()
        if not self.folder.is_dir():
            raise WorkspaceError(f"{self.folder} is no folder; name the one with a folder for each learner")
        self.within = text("within", within, error=WorkspaceError) if within else ""
        if Path(self.within).is_absolute() or ".." in Path(self.within).parts:
            raise WorkspaceError(f"within={within!r} must lie inside of each learner's folder, as 'workspaces/lesson'")
        self.quiet_s = 60.0 * number("quiet_minutes", quiet_minutes, 0, error=WorkspaceError)
        self._readers: dict[Path, SeatReader] = {}
        self._searched = 0.0

    def read(self) -> list[Seat]:
        """All seats as they are now, by name."""
        now = time.monotonic()
        if not self._readers or now - self._searched > _AGAIN_S:
            self._searched = now
            found = dict(self._found())
            self._readers = {path: self._readers.get(path) or SeatReader(name, path) for path, name in found.items()}
        return sorted((reader.read() for reader in self._readers.values()), key=lambda seat: seat.name)

    @property
    def table(self) -> pd.DataFrame:
        """A line a seat: name, author, step, exercises, edits, low, iou, high, run, state, idle_s, trouble, ..."""
        import pandas as pd

        now = time.time()
        return pd.DataFrame([seat.row(now, self.quiet_s) for seat in self.read()])

    def words(self, seats: Sequence[Seat], now: float) -> str:
        """How the room is, in a line."""
        if not seats:
            return f"No workspace is to be seen below {self.folder}."
        troubles = {seat.name: seat.trouble(now, self.quiet_s) for seat in seats}
        broken = sum(trouble == "broken" for trouble in troubles.values())
        quiet = sum(trouble == "quiet" for trouble in troubles.values())
        loud = {name.partition("/")[0]: words for name, words in troubles.items() if words not in _QUIETLY}
        others = [f"{name} ({words})" for name, words in loud.items()]
        done = sum(seat.finished for seat in seats)
        parts = [f"{len(seats)} workspace{'s' if len(seats) != 1 else ''}"]
        parts += [f"{done} done"] * bool(done)
        parts += [f"{quiet} quiet for {self.quiet_s / 60:.0f} min or more"] * bool(quiet)
        parts += [f"{broken} broken"] * bool(broken)
        more = f" and {len(others) - 4} more" if len(others) > 4 else ""
        help_words = f" Help: {', '.join(others[:4])}{more}." if others else ""
        return f"{', '.join(parts)}.{help_words}"

    def _found(self) -> Iterator[tuple[Path, str]]:
        if self.within:
            for learner in _subfolders(self.folder):
                place = learner / self.within
                if place.exists() or _hidden(place):
                    yield place, learner.name
            return
        yield from ((path, str(path.relative_to(self.folder))) for path in _workspaces(self.folder, _DEEP))


def _hidden(place: Path) -> bool:
    """Whether this user may not look there: its seat is shown as broken."""
    try:
        place.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _workspaces(folder: Path, deep: int) -> Iterator[Path]:
    for one in _subfolders(folder):
        if os.path.lexists(one / "workspace.json"):
            yield one
        elif deep > 1:
            yield from _workspaces(one, deep - 1)


def _subfolders(folder: Path) -> list[Path]:
    """Folders in it that are no links and not hidden, by name; none where it may not be listed."""
    names: list[str] = []
    with suppress(OSError), os.scandir(folder) as found:
        for number_seen, one in enumerate(found):
            if number_seen >= _ENTRIES:
                break
            if not one.name.startswith(".") and one.is_dir(follow_symlinks=False):
                names.append(one.name)
    return [folder / name for name in sorted(names)]
