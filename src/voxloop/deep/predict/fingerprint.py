"""The hash by which a model folder knows that nothing in it was changed. Standard library only."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from voxloop.errors import ModelError
from voxloop.model import ModelSpec


def fingerprint(weights: Path, spec: ModelSpec) -> str:
    """Of a file of weights, and of everything in the spec that changes what comes out. Raises ModelError."""
    data = spec.to_json()
    data.pop("hash")
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode())
    try:
        with weights.open("rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
    except FileNotFoundError:
        raise ModelError(f"{weights.parent} has no weights ({weights.name} is missing)") from None
    return digest.hexdigest()
