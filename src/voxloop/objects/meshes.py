"""The surface of one object as triangles in micrometres, and PLY and OBJ files of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.given import path_of, shown
from voxloop.objects.fields import field_of
from voxloop.store.values import number as length
from voxloop.store.values import whole


def object_mesh(labels: Any, number: int, region: object, *, smooth_um: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The surface of one object by marching cubes (Lewiner et al. 2003, scikit-image).

    Parameters
    ----------
    labels
        Numbers of objects (z, y, x).
    region
        Its bounding box in voxels, as the table of objects has it.
    smooth_um
        Width (sigma) of a Gaussian that takes the steps of voxels away; it makes thin parts thinner.

    Returns
    -------
    vertices, faces
        (n, 3) float32 micrometres in the order x, y, z, as mesh programs expect; (m, 3) int32, outward facing.

    Raises
    ------
    PredictionError
        The object is not there, or is a flat one, which has no surface.
    """
    from scipy import ndimage as ndi
    from skimage.measure import marching_cubes

    number, smooth_um = whole("number", number, error=PredictionError), length("smooth_um", smooth_um)
    field = field_of(labels)
    if field.flat:
        raise PredictionError("objects of pictures are flat; meshes are made of objects in stacks")
    spacing = np.array(field.spacing_um)
    sigma = smooth_um / spacing
    if (sigma > field.shape).any():
        raise PredictionError(f"smooth_um={smooth_um:g} is wider than the whole image; smooth less")
    z, y, x = (int(n) for n in np.minimum(np.ceil(3 * sigma), field.shape))
    box = Box.of(region, field.shape).grow((z, y, x)).clip(field.shape)
    mask = np.pad(field.read(box) == number, [(n + 1, n + 1) for n in (z, y, x)]).astype(np.float32)
    if not mask.any():
        raise PredictionError(f"there is no object {number} in {box.shape} voxels at {box.code()}")
    if smooth_um:
        mask = ndi.gaussian_filter(mask, sigma)
        if mask.max() <= 0.5:
            raise PredictionError(f"object {number} is thinner than smooth_um={smooth_um:g}; smooth less")
    corner = np.array(box.start) - np.array([z + 1, y + 1, x + 1])
    points, faces, _, _ = marching_cubes(mask, 0.5, spacing=tuple(spacing))
    points = points + corner * spacing + np.array(field.origin_um)
    # faces look inwards in zyx; turning that into xyz mirrors the surface, so there they look outwards
    return np.ascontiguousarray(points[:, ::-1], np.float32), np.ascontiguousarray(faces, np.int32)


def save_mesh(vertices: np.ndarray, faces: np.ndarray, path: str | Path) -> Path:
    """Write binary PLY (``.ply``) or Wavefront OBJ (``.obj``), micrometres. Raises PredictionError."""
    target = path_of(path, error=PredictionError)
    vertices, faces = _triples("vertices", vertices, np.float32), _triples("faces", faces, np.int32)
    suffix = target.suffix.lower()
    if suffix not in (".ply", ".obj"):
        raise PredictionError(f"{target} must end in .ply or .obj")
    target.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".obj":
        lines = [f"v {x:.6g} {y:.6g} {z:.6g}" for x, y, z in vertices]
        lines += [f"f {a} {b} {c}" for a, b, c in faces + 1]
        target.write_text("# micrometres\n" + "\n".join(lines) + "\n")
        return target
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment micrometres\n"
        f"element vertex {len(vertices)}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.empty(len(faces), np.dtype([("n", "u1"), ("v", "<i4", 3)]))
    rows["n"], rows["v"] = 3, faces
    target.write_bytes(header.encode() + vertices.astype("<f4").tobytes() + rows.tobytes())
    return target


def _triples(what: str, given: object, dtype: type) -> np.ndarray:
    """An array (n, 3) of numbers. Raises PredictionError."""
    found: np.ndarray
    try:
        found = np.asarray(given).astype(dtype)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    if found.ndim != 2 or found.shape[1] != 3:
        raise PredictionError(f"{what}={shown(given)} is no table of three numbers a row")
    return found
