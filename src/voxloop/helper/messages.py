"""Length-prefixed JSON messages over pipes. Knows nothing of what they say; builds nothing but plain values."""

from __future__ import annotations

import json
import struct
from threading import Lock
from typing import Any, BinaryIO

_LENGTH = struct.Struct("<I")
#: a longer message is a broken stream, not a message: planes travel through shared memory
MOST = 16 << 20


class Sender:
    """Writes whole messages from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._guard = Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Raises OSError or ValueError where nobody listens any more."""
        data = json.dumps(message).encode()
        with self._guard:
            self._stream.write(_LENGTH.pack(len(data)) + data)
            self._stream.flush()


def receive(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message; None where the stream has ended, or is broken."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    if size > MOST:
        return None
    data = stream.read(size)
    if len(data) < size:
        return None
    try:
        message = json.loads(data)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
