"""Pictures in eight bits, as OpenCV and networks of photographs want them. Pure."""

from __future__ import annotations

import numpy as np

from voxloop.errors import LabelError


def as_bytes_of(picture: np.ndarray) -> np.ndarray:
    """Intensities (rows, columns) as uint8: black and white at the percentiles 1 and 99."""
    low, high = np.percentile(picture, (1, 99))
    scaled = (picture.astype(np.float32) - low) * (255 / max(float(high - low), 1e-12))
    return np.asarray(scaled.clip(0, 255).astype(np.uint8))


def open_cv() -> object:
    """OpenCV. Raises LabelError where it is not installed."""
    try:
        import cv2
    except ImportError:
        raise LabelError("this needs OpenCV: pip install opencv-python-headless") from None
    cv2.setNumThreads(1)  # what is on a plane is small; cores belong to the overlay
    return cv2
