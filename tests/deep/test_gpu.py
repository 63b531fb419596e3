"""Ready for a GPU, as far as a processor can show: the checks of ``on_fake_gpu.py`` and its neighbour,
in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CHECKS = [str(Path(__file__).with_name(name)) for name in ("on_fake_gpu.py", "marks_on_fake_gpu.py")]


@pytest.mark.slow(reason="trains a dozen tiny networks in a process of its own")
def test_nothing_makes_a_gpu_wait_that_does_not_say_so() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *_CHECKS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
