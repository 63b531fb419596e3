"""The U-Net of a tutorial, as a peer to measure against: segmentation-models-pytorch as it comes, nothing of ours.

Windows of single planes, cross-entropy on labelled pixels, flips, Adam. Knows no volume, workspace or run.
"""

from __future__ import annotations

import numpy as np

WINDOW, BATCH, RATE = 128, 8, 1e-3
#: what the encoder halves five times must be whole
_STRIDE = 32


def answer(image: np.ndarray, labels: np.ndarray, classes: int, *, seed: int = 0, steps: int = 200) -> np.ndarray:
    """Train a U-Net with a ResNet-18 encoder from scratch, and ask it about every plane.

    Parameters
    ----------
    image
        (z, y, x) intensities.
    labels
        (z, y, x): 1 to ``classes``, 0 unlabelled.

    Returns
    -------
    numpy.ndarray
        Probabilities (class, z, y, x) float32.
    """
    import segmentation_models_pytorch as smp
    import torch

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    gray = image.astype(np.float32)
    gray = _padded((gray - gray.mean()) / (gray.std() + 1e-6), mode="reflect")
    known = _padded(labels.astype(np.int64), mode="constant")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=classes).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    centres = np.argwhere(known > 0)
    network.train()
    for _ in range(steps):
        windows, targets = _batch(gray, known, centres, rng)
        logits = network(torch.from_numpy(windows).to(device))
        wanted = torch.from_numpy(targets).to(device) - 1
        loss = torch.nn.functional.cross_entropy(logits, wanted, ignore_index=-1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    depth, height, width = image.shape
    out = np.empty((classes, depth, height, width), np.float32)
    with torch.inference_mode():
        for z in range(depth):
            logits = network(torch.from_numpy(gray[z][None, None]).to(device))
            out[:, z] = torch.softmax(logits, dim=1)[0, :, :height, :width].cpu().numpy()
    return out


def _padded(stack: np.ndarray, *, mode: str) -> np.ndarray:
    """Planes at least a window wide, of sides that the encoder halves evenly."""
    missing = [max(WINDOW, -(-side // _STRIDE) * _STRIDE) - side for side in stack.shape[1:]]
    pad = [(0, 0), (0, missing[0]), (0, missing[1])]
    return np.pad(stack, pad) if mode == "constant" else np.pad(stack, pad, mode="reflect")


def _batch(
    gray: np.ndarray, known: np.ndarray, centres: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Windows (n, 1, y, x) around labelled pixels, turned over at random, and their labels."""
    windows, targets = [], []
    for z, y, x in centres[rng.integers(len(centres), size=BATCH)]:
        top = int(np.clip(y - rng.integers(WINDOW), 0, gray.shape[1] - WINDOW))
        left = int(np.clip(x - rng.integers(WINDOW), 0, gray.shape[2] - WINDOW))
        part = (z, slice(top, top + WINDOW), slice(left, left + WINDOW))
        flips = tuple(axis for axis in (0, 1) if rng.random() < 0.5)
        windows.append(np.flip(gray[part], flips)[None])
        targets.append(np.flip(known[part], flips))
    return np.ascontiguousarray(np.stack(windows)), np.ascontiguousarray(np.stack(targets))
