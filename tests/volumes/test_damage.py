"""Damaged files of every format: a sentence or the voxels, never what a library raises, never a size that is none."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from voxloop.errors import VoxloopError
from voxloop.volumes import open_volume, read_block, save_volume, scales, spacing_of

STACK = np.random.default_rng(0).integers(0, 255, (4, 12, 10)).astype(np.uint8)


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", data=STACK, chunks=(2, 12, 10), compression="gzip")
        data.attrs["element_size_um"] = (2.0, 0.5, 0.5)
        data.attrs["axes"] = "zyx"


def _mrc(path: Path) -> None:
    with mrcfile.new(path) as file:
        file.set_data(STACK.astype(np.int16))
        file.voxel_size = 10.0


def _nifti(path: Path) -> None:
    import nibabel

    nibabel.save(nibabel.Nifti1Image(STACK.T.astype(np.int16), np.diag([0.5, 0.5, 2, 1])), path)


def _netcdf(path: Path) -> None:
    open_volume(STACK.astype(np.int16), spacing=(2, 0.5, 0.5)).to_netcdf(path, engine="scipy")


def _npz(path: Path) -> None:
    np.savez_compressed(path, a=STACK)


def _itk(path: Path) -> None:
    itk = pytest.importorskip("SimpleITK")
    image = itk.GetImageFromArray(STACK)
    image.SetSpacing((0.5, 0.5, 2))
    itk.WriteImage(image, str(path))


def _nrrd(path: Path) -> None:
    nrrd = pytest.importorskip("nrrd")
    header = {"space": "left-posterior-superior", "space directions": np.diag([0.5, 0.5, 2]), "encoding": "raw"}
    nrrd.write(str(path), STACK, header, index_order="C")


def _imaris(path: Path) -> None:
    with h5py.File(path, "w") as file:
        channel = file.create_group("DataSet/ResolutionLevel 0/TimePoint 0/Channel 0")
        channel.create_dataset("Data", data=STACK, chunks=(2, 12, 10), compression="gzip")
        image = file.create_group("DataSetInfo/Image")
        noted = {"ExtMin0": 0, "ExtMin1": 0, "ExtMin2": 0, "ExtMax0": 5, "ExtMax1": 6, "ExtMax2": 8, "Unit": "um"}
        for name, value in noted.items():
            image.attrs[name] = np.array(list(str(value)), "S1")


def _precomputed(path: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{path}/"},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": {"size": [10, 12, 4], "encoding": "raw", "chunk_size": [5, 6, 2], "resolution": [4, 4, 40]},
    }
    tensorstore.open(spec, create=True).result()[...] = STACK.T[..., None]


def _dicom(path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    one = pydicom.Dataset()
    one.file_meta = pydicom.dataset.FileMetaDataset()
    one.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = pydicom.uid.CTImageStorage
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = one.SeriesInstanceUID = "1.2.3"
    one.NumberOfFrames, one.Rows, one.Columns = STACK.shape
    one.SamplesPerPixel, one.PhotometricInterpretation, one.PixelRepresentation = 1, "MONOCHROME2", 0
    one.BitsAllocated, one.BitsStored, one.HighBit = 8, 8, 7
    one.PixelSpacing, one.SpacingBetweenSlices, one.RescaleIntercept = [0.5, 0.5], 2, "-3"
    one.ImageOrientationPatient, one.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    one.PixelData = STACK.tobytes()
    one.save_as(path, enforce_file_format=True)


#: how a small sound file of each format is made
MAKERS: dict[str, Callable[[Path], object]] = {
    "a.tif": lambda path: tifffile.imwrite(path, STACK, imagej=True, resolution=(2, 2), metadata={"unit": "um"}),
    "b.tif": lambda path: tifffile.imwrite(path, STACK, compression="zlib", photometric="minisblack"),
    "a.ome.tif": lambda path: save_volume(STACK, path, spacing=(2, 0.5, 0.5)),
    "a.h5": _hdf5,
    "a.nc": _netcdf,
    "a.mrc": _mrc,
    "a.nii": _nifti,
    "a.nii.gz": _nifti,
    "a.npy": lambda path: np.save(path, STACK),
    "a.npz": _npz,
    "a.png": lambda path: Image.fromarray(STACK[0]).save(path),
    "a.jpg": lambda path: Image.fromarray(STACK[0]).save(path),
    "a.gif": lambda path: Image.fromarray(STACK[0]).save(path),
    "a.zarr": lambda path: save_volume(STACK, path, spacing=(2, 0.5, 0.5)),
    "a.mha": _itk,
    "a.nrrd": _nrrd,
    "a.ims": _imaris,
    "a.dcm": _dicom,
    "precomputed": _precomputed,
    "b.zarr": lambda path: zarr.create_array(path, data=STACK, zarr_format=2),
}
STRANGE = [None, [], {}, "x", -1, 0, 1e300, float("nan"), [1, 2], "0,5", ["z", "z", "y"], True, 10**30, ""]


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sound")
    for name, make in MAKERS.items():
        make(folder / name)
    return {name: folder / name for name in MAKERS}


def damaged(path: Path, target: Path, draw: random.Random) -> None:
    """A copy of a file with damage where its metadata lies: bits turned, bytes gone, the end gone."""
    raw = bytearray(path.read_bytes())
    kind = draw.choice(["bits", "bytes", "cut", "gone"])
    reach = len(raw) if draw.random() < 0.3 else min(len(raw), 700)
    if kind == "cut":
        raw = raw[: draw.randrange(len(raw))]
    elif kind == "gone":
        start = draw.randrange(reach)
        del raw[start : start + draw.randrange(1, 9)]
    else:
        for _ in range(draw.choice([1, 1, 2, 8])):
            place = draw.randrange(reach)
            raw[place] = raw[place] ^ (1 << draw.randrange(8)) if kind == "bits" else draw.choice([0, 255, 127, 48])
    target.write_bytes(raw)


def strange(value: object, draw: random.Random) -> object:
    """JSON with one thing in it replaced, dropped or doubled."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(sorted(value))
        if draw.random() < 0.15:
            return {name: one for name, one in value.items() if name != key}
        return {**value, key: strange(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.85:
        place = draw.randrange(len(value))
        if draw.random() < 0.15:
            return value[:place] + value[place + 1 :]
        return [*value[:place], strange(value[place], draw), *value[place + 1 :]]
    return draw.choice(STRANGE)


def _is_json(path: Path) -> bool:
    return path.suffix == ".json" or path.name.startswith(".z") or path.name == "info"


def damaged_store(path: Path, target: Path, draw: random.Random) -> None:
    """A copy of a zarr store with damage in one of its files."""
    files = sorted(one for one in path.rglob("*") if one.is_file())
    hurt = draw.choice([one for one in files if _is_json(one)] or files)
    if draw.random() < 0.2:
        hurt = draw.choice(files)
    for one in files:
        place = target / one.relative_to(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        if one != hurt:
            place.write_bytes(one.read_bytes())
        elif _is_json(one):
            place.write_text(json.dumps(strange(json.loads(one.read_text()), draw)))
        elif draw.random() < 0.8:
            damaged(one, place, draw)


def check(sound: dict[str, Path], folder: Path, seed: int) -> str:
    """Open, read and scale one damaged file. Anything but a VoxloopError ends the test."""
    draw = random.Random(seed)
    name = draw.choice(sorted(sound))
    target = folder / str(seed) / name
    target.parent.mkdir()
    (damaged_store if sound[name].is_dir() else damaged)(sound[name], target, draw)
    try:
        volume = open_volume(target)
        assert all(np.isfinite(size) and size > 0 for size in spacing_of(volume)), f"{name}: {spacing_of(volume)}"
        if volume.size > 10**6:
            return "large"
        scales(volume)
        read_block(volume)
    except VoxloopError as error:
        return "sentence" if "\n" not in str(error) else f"several lines: {error}"
    return "opened"


@pytest.mark.filterwarnings("ignore::voxloop.errors.VolumeWarning")
@pytest.mark.parametrize("start", [0])
def test_damage_gives_a_sentence_or_the_voxels(sound, tmp_path, start):
    seen = {check(sound, tmp_path, seed) for seed in range(start, start + 200)}
    assert {"sentence", "opened"} <= seen <= {"sentence", "opened", "large"}


@pytest.mark.nightly
@pytest.mark.parametrize("start", range(1000, 3000, 200))
def test_much_damage_gives_a_sentence_or_the_voxels(sound, tmp_path, start):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen = {check(sound, tmp_path, seed) for seed in range(start, start + 200)}
    assert seen <= {"sentence", "opened", "large"}
