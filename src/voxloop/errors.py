"""The error family and the sentences in it. Pure: knows nothing of files, arrays or widgets.

Every message says what was given, what is allowed, and the nearest thing that works. A panel shows ``str(error)``
as it stands, the command line prints it as its one line; so a message is a whole sentence without line breaks.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class VoxloopError(Exception):
    """Anything a user can put right. Panels show it, the command line exits with code 2.

    Examples
    --------
    >>> try:
    ...     ws.predict("deep-1")
    ... except vl.VoxloopError as error:
    ...     print(error)
    unknown run or model folder 'deep-1'; there are 'shallow-1', 'predict-1', 'objects-1'
    """

    def __str__(self) -> str:
        """One line, whatever was given: names and values in a message may hold line breaks."""
        return re.sub(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*", " ", super().__str__())


class VolumeError(VoxloopError, ValueError):
    """A source that cannot be opened, or a volume that does not fit where it is used."""


class AwayError(VolumeError):
    """A server that gives no answer now, and may give one later."""


class VolumeWarning(UserWarning):
    """A volume that does not show all that its source holds, or another picture than before."""


class WorkspaceError(VoxloopError, ValueError):
    """A workspace that cannot be created, opened or changed as asked."""


class ReadOnlyError(WorkspaceError, PermissionError):
    """A change to a workspace that another process is writing, or that cannot be written."""


class LabelError(VoxloopError, ValueError):
    """A label edit, import or level that is not possible."""


class ConfigError(VoxloopError, ValueError):
    """A setting out of bounds, an unknown setting, or settings that exclude each other."""


class RunError(VoxloopError, RuntimeError):
    """A run that cannot be started, controlled or read."""


class ModelError(VoxloopError, ValueError):
    """A model folder that is missing, truncated or tampered with, or that does not fit the volume."""


class PredictionError(VoxloopError, ValueError):
    """A prediction that cannot be made or read."""


class MissingPackageError(VoxloopError, ImportError):
    """A package that is not installed; the sentence names the line that installs it."""


class DiskFullError(PredictionError):
    """A prediction that ended for want of space; with space it goes on where it was."""


#: names from which the nearest one is said before all of them
_LONG_LIST = 12


def nearest(given: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that looks most like ``given``; None where nothing comes near."""
    names = {name.lower(): name for name in allowed}
    found = difflib.get_close_matches(given.lower(), names, n=1, cutoff=0.5)
    return names[found[0]] if found else None


def unknown(what: str, given: object, allowed: Iterable[object]) -> str:
    """``unknown class 'mito'; there are 'mitochondria', 'background'; did you mean 'mitochondria'?``.

    Of a long list what comes near stands before it.
    """
    names = [str(name) for name in allowed]
    listed = ", ".join(repr(name) for name in names) if names else "none"
    shown = str(given)
    if len(shown) > 2 and shown[0] == shown[-1] == "'":  # a name that was shown as code
        shown = shown[1:-1]
    close = nearest(shown, names)
    if len(shown) > 80:
        shown = f"{shown[:80]}..."
    if close and len(names) > _LONG_LIST:
        return f"unknown {what} {shown!r}: did you mean {close!r}? There are {listed}"
    hint = f"; did you mean {close!r}?" if close else ""
    return f"unknown {what} {shown!r}; there are {listed}{hint}"
