"""What is said while a model comes: how large, whose, how far. Fetches nothing."""

from __future__ import annotations

import sys
from typing import Any

#: files of fewer bytes come without a bar
_SMALL = 1_000_000


def sized(count: int) -> str:
    """A number of bytes in words; that of a small model is not 0.0 MB."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{max(1, round(count / 1e3))} kB"


class Teller:
    """Says on standard error how a pull goes; a ``quiet`` one says nothing."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Any = None

    def say(self, words: str) -> None:
        if not self._quiet:
            sys.stderr.write(f"{words}\n")
            sys.stderr.flush()

    def __call__(self, name: str, come: int, whole: int | None) -> None:
        """A file, the bytes of it that came, and all of them."""
        if self._quiet:
            return
        if come == 0:
            self.close()
            size = "size not said" if whole is None else sized(whole)
            if whole is None or whole >= _SMALL:
                from tqdm import tqdm

                self.say(f"{name}: {size}")
                self._bar = tqdm(total=whole, unit="B", unit_scale=True, desc=name, leave=False, file=sys.stderr)
        elif self._bar is not None:
            self._bar.update(come - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
