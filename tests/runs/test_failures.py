"""What went wrong is one line, and comes with what to do."""

from __future__ import annotations

import errno

import pytest

from voxloop.errors import ConfigError
from voxloop.runs.failures import describe, ended_for_memory
from voxloop.runs.history import History, fold
from voxloop.runs.queue import device_key


class OutOfMemoryError(RuntimeError):
    """As torch.cuda's."""


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (ConfigError("a whole sentence"), None),
        (MemoryError(), "smaller window"),
        (OutOfMemoryError("CUDA: tried to allocate 20.00 MiB"), "device='cpu'"),
        (RuntimeError("MPS backend out of memory"), "device='cpu'"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
            "smaller window",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "free some space"),
        (PermissionError(errno.EACCES, "Permission denied"), "cannot be written"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), "fewer workers"),
        (ModuleNotFoundError("No module named 'monai'", name="monai"), "pip install 'voxloop[learning]'"),
        (ZeroDivisionError("division by zero\nin two lines"), "stdout.log"),
    ],
)
def test_hints(error, hint):
    message, found = describe(error)
    assert "\n" not in message
    assert message
    assert found is None if hint is None else hint in found


@pytest.mark.parametrize(
    ("device", "visible", "key"),
    [
        ("cpu", None, "cpu"),
        ("cuda", None, "cuda-0"),
        ("cuda:1", None, "cuda-1"),
        ("cuda:1", "4,5", "cuda-5"),
        ("cuda", "GPU-8f3a", "cuda-GPU-8f3a"),
        ("cuda:3", "4,5", "cuda-3"),
        ("../x", None, "-x"),
    ],
)
def test_one_physical_device_has_one_line(device, visible, key):
    assert device_key(device, {"CUDA_VISIBLE_DEVICES": visible} if visible else {}) == key


@pytest.mark.parametrize(
    ("events", "now", "expected"),
    [
        ([], 4, True),
        ([], 3, False),
        ([], None, False),
        ([{"kind": "paused"}], 4, False),
        ([{"kind": "progress", "memory_bytes": 95, "memory_total": 100}], 3, True),
        ([{"kind": "progress", "memory_bytes": 85, "memory_total": 100}], 3, False),
    ],
)
def test_who_got_no_word_in_while_memory_ran_out_was_ended_for_it(events, now, expected):
    started = {"kind": "started", "host": "here", "device": "cpu", "memory_kills": 3}
    history = fold(History(), [started, *events])
    assert ended_for_memory(history, now, "here") == expected
    assert not ended_for_memory(history, now, "elsewhere")
    assert not ended_for_memory(History(), now, "here")
