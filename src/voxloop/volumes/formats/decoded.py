"""Files that can only be decoded as a whole: once, when the first voxel is asked for. Knows no format."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np


class DecodedOnce:
    """An array that ``decode`` gives as a whole; kept in memory from the first look on."""

    def __init__(self, decode: Callable[[], np.ndarray], shape: tuple[int, ...], dtype: Any) -> None:
        self._decode = decode
        self._guard = threading.Lock()
        self._whole: np.ndarray | None = None
        self.shape, self.dtype, self.ndim = shape, np.dtype(dtype), len(shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        with self._guard:
            if self._whole is None:
                whole = self._decode()
                if whole.shape != self.shape:
                    raise ValueError(f"it decodes to shape {whole.shape}, its header says {self.shape}")
                self._whole = whole
        return np.asarray(self._whole[key])
