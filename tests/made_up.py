"""The made-up micrograph in kernels of tests: computed once for all of them, and smaller where that shows as much."""

from __future__ import annotations

from pathlib import Path

#: of IPython, read by every kernel before its first cell
_STARTUP = """
def _keep(folder, whole):
    import os
    from pathlib import Path

    import numpy as np
    from voxloop.volumes.samples import em

    make = em.make

    def kept(seed=0, shape=tuple(whole or em.SHAPE)):
        file = Path(folder) / f"{seed}-{'x'.join(map(str, shape))}.npz"
        if not file.exists():
            picture, truth = make(seed, shape)
            part = file.with_name(f"{file.stem}.{os.getpid()}.npz")
            np.savez(part, picture=picture, truth=truth)
            part.replace(file)
        with np.load(file) as both:
            return both["picture"], both["truth"]

    em.make = kept


_keep(%r, %r)
del _keep
"""


def startup(ipython: Path, kept: Path, shape: tuple[int, int, int] | None = None) -> None:
    """Have kernels whose ``IPYTHONDIR`` this is take the sample ``em`` from a folder, and leave it there.

    Parameters
    ----------
    shape
        Planes, rows and columns of the whole sample there; None: as large as it is for everybody.
    """
    folder = ipython / "profile_default" / "startup"
    folder.mkdir(parents=True, exist_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    (folder / "made_up.py").write_text(_STARTUP % (str(kept), shape))
