"""Formats of the extra ``bio``: small files written by the libraries themselves, read lazily, with axes and size."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from voxloop.errors import VolumeError, VolumeWarning
from voxloop.store import Store
from voxloop.volumes import open_volume, read_block, scales, spacing_of

#: no two voxels alike, no two axes as long
STACK = np.arange(4 * 6 * 8, dtype=np.int16).reshape(4, 6, 8)
SIZE_UM = (2000.0, 500.0, 250.0)


class QuietHandler(SimpleHTTPRequestHandler):
    """A server of files that logs nothing."""

    def log_message(self, *words: object) -> None:
        pass


def voxels(volume) -> np.ndarray:
    block = read_block(volume)
    return block[0] if "c" not in volume.dims else block


def check(volume, expected=STACK, size_um=SIZE_UM):
    np.testing.assert_array_equal(voxels(volume), expected)
    np.testing.assert_array_equal(voxels(volume.isel(y=slice(1, 4))), expected[..., 1:4, :])
    assert spacing_of(volume) == pytest.approx(size_um)
    assert volume.dtype == expected.dtype


# ------------------------------------------------------------------------------------------------ MetaImage and NRRD


def itk_image(array=STACK, *, coloured=False) -> Any:
    itk = pytest.importorskip("SimpleITK")
    image = itk.GetImageFromArray(array, isVector=coloured)
    image.SetSpacing((0.25, 0.5, 2.0, 1.0)[: image.GetDimension()])
    return image


@pytest.mark.parametrize(
    ("name", "compressed"),
    [("a.mha", False), ("a.mha", True), ("a.mhd", False), ("a.nrrd", False), ("a.nrrd", True), ("a.nhdr", False)],
)
def test_what_itk_writes_is_read(tmp_path, name, compressed):
    itk = pytest.importorskip("SimpleITK")
    pytest.importorskip("nrrd")
    itk.WriteImage(itk_image(), str(tmp_path / name), compressed)
    volume = open_volume(tmp_path / name)
    check(volume)
    assert set(volume.attrs["spacing_from_zyx"].split()) == {"metadata"}
    assert volume.attrs["anatomy"] == "LPS"
    assert any("as a whole" in words for words in volume.attrs["remarks"]) == compressed


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_masks_of_another_orientation_lie_on_their_image(tmp_path, name):
    itk = pytest.importorskip("SimpleITK")
    pytest.importorskip("nrrd")
    image = itk_image()
    itk.WriteImage(image, str(tmp_path / name))
    turned = itk.DICOMOrient(image, "SAR")
    assert turned.GetSize() != image.GetSize()
    itk.WriteImage(turned, str(tmp_path / f"turned-{name}"))
    check(open_volume(tmp_path / f"turned-{name}"))


def test_a_nifti_mask_lies_on_an_image_of_itk(tmp_path):
    itk = pytest.importorskip("SimpleITK")
    pytest.importorskip("nibabel")
    pytest.importorskip("nrrd")
    itk.WriteImage(itk_image(), str(tmp_path / "image.nrrd"))
    mask = (STACK % 7 == 0).astype(np.uint8)
    itk.WriteImage(itk_image(mask), str(tmp_path / "mask.nii.gz"))
    with Store.create(tmp_path / "ws", image=tmp_path / "image.nrrd", classes=["cell"]) as store:
        store.labels().load(tmp_path / "mask.nii.gz", zero="unlabelled")
        np.testing.assert_array_equal(store.labels().read(), mask)


@pytest.mark.parametrize("suffix", [".nii.gz", ".tif", ".nc"])
def test_labels_of_an_image_of_itk_come_back_and_lie_right_for_itk(tmp_path, suffix):
    itk = pytest.importorskip("SimpleITK")
    pytest.importorskip("nibabel")
    itk.WriteImage(itk_image(), str(tmp_path / "image.mha"))
    mask = (STACK % 7 == 0).astype(np.uint8)
    with Store.create(tmp_path / "ws", image=tmp_path / "image.mha", classes=["cell"]) as store:
        store.labels().load(mask, zero="unlabelled")
        path = store.labels().save(tmp_path / f"mask{suffix}")
        if suffix == ".nii.gz":  # brought to the image's grid by ITK, as 3D Slicer does
            laid = itk.Resample(itk.ReadImage(str(path)), itk_image(), itk.Transform(), itk.sitkNearestNeighbor)
            np.testing.assert_array_equal(itk.GetArrayFromImage(laid), mask)
        store.labels().undo()
        store.labels().load(path, zero="unlabelled")
        np.testing.assert_array_equal(store.labels().read(), mask)


def test_colours_time_and_a_size_that_nobody_stated(tmp_path):
    itk = pytest.importorskip("SimpleITK")
    pytest.importorskip("nrrd")
    colours = np.random.default_rng(0).integers(0, 255, (4, 6, 8, 3)).astype(np.uint8)
    itk.WriteImage(itk_image(colours, coloured=True), str(tmp_path / "c.mha"))
    volume = open_volume(tmp_path / "c.mha")
    assert volume.dims == ("c", "z", "y", "x")
    np.testing.assert_array_equal(voxels(volume), np.moveaxis(colours, -1, 0))
    itk.WriteImage(itk.GetImageFromArray(STACK), str(tmp_path / "unsaid.mha"))
    assert open_volume(tmp_path / "unsaid.mha").attrs["spacing_from"] == "assumed"
    nrrd = pytest.importorskip("nrrd")
    nrrd.write(str(tmp_path / "plain.nrrd"), STACK, {"spacings": [2.0, 0.5, 0.25]}, index_order="C")
    plain = open_volume(tmp_path / "plain.nrrd")
    np.testing.assert_array_equal(voxels(plain), STACK)
    assert plain.attrs["spacing_from"] == "assumed"
    nrrd.write(
        str(tmp_path / "um.nrrd"),
        STACK,
        {"space dimension": 3, "space directions": np.diag([0.25, 0.5, 2.0]), "space units": ["um"] * 3},
        index_order="C",
    )
    assert spacing_of(open_volume(tmp_path / "um.nrrd")) == pytest.approx((2.0, 0.5, 0.25))


@pytest.mark.parametrize(
    ("name", "compressed"), [("a.mha", False), ("a.mha", True), ("a.nrrd", False), ("a.nrrd", True)]
)
def test_files_that_are_cut_short_give_no_voxels(tmp_path, name, compressed):
    itk = pytest.importorskip("SimpleITK")
    pytest.importorskip("nrrd")
    itk.WriteImage(itk_image(), str(tmp_path / name), compressed)
    whole = (tmp_path / name).read_bytes()
    for missing in (20, 100) if compressed else (1, 100):  # the last bytes of a packed file are a checksum
        (tmp_path / name).write_bytes(whole[:-missing])
        with pytest.raises(VolumeError, match=r"cut short|cannot be read"):
            voxels(open_volume(tmp_path / name))


def test_segments_of_3d_slicer_are_classes(tmp_path):
    nrrd = pytest.importorskip("nrrd")
    labels = (STACK % 3).astype(np.uint8)
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([0.25, 0.5, 2.0]),
        "Segment0_LabelValue": "1",
        "Segment0_Name": "liver",
        "Segment0_Color": "1 0 0.5",
        "Segment1_LabelValue": "2",
        "Segment1_Name": "spleen",
    }
    nrrd.write(str(tmp_path / "a.seg.nrrd"), labels, header, index_order="C")
    volume = open_volume(tmp_path / "a.seg.nrrd")
    assert volume.attrs["kind"] == "labels"
    classes = json.loads(volume.attrs["classes"])
    assert [(one["value"], one["name"], one.get("color")) for one in classes] == [
        (1, "liver", "#ff0080"),
        (2, "spleen", None),
    ]


# ------------------------------------------------------------------------------------------------------------- DICOM


def write_slice(path: Path, plane: np.ndarray, number: int, **changes: Any) -> None:
    """One slice as a scanner writes it: axial, 2 mm apart, Hounsfield units 1000 below what is stored."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    one = pydicom.Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = CTImageStorage
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = generate_uid()
    one.SeriesInstanceUID, one.SeriesNumber, one.SeriesDescription = "1.2.3", 7, "thorax"
    one.Rows, one.Columns = plane.shape[:2]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
    one.PixelSpacing, one.SliceThickness = [0.5, 0.25], 5
    one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    one.ImagePositionPatient, one.InstanceNumber = [0, 0, 2.0 * number], 100 - number
    one.PixelData = plane.astype("<i2").tobytes()
    for name, value in changes.items():
        setattr(one, name, value)
    path.parent.mkdir(exist_ok=True)
    one.save_as(path, enforce_file_format=True)


def test_a_dicom_series_is_in_the_order_of_its_places(tmp_path):
    for number in range(4):
        write_slice(tmp_path / "s" / f"IM{number * 7 % 5}", STACK[number], number)
    check(open_volume(tmp_path / "s"))
    assert open_volume(tmp_path / "s").attrs["remarks"] == []
    check(open_volume(tmp_path / "s" / "IM0"), STACK[:1], (5000.0, 500.0, 250.0))


def test_dicom_says_what_it_does_not_show(tmp_path):
    for number in (0, 1, 3):
        write_slice(tmp_path / "gap" / f"{number}.dcm", STACK[number], number, RescaleIntercept="-1000")
    with pytest.warns(VolumeWarning, match="1 slices seem to be missing"):
        volume = open_volume(tmp_path / "gap")
    np.testing.assert_array_equal(voxels(volume), STACK[[0, 1, 3]] - 1000.0)
    for number in range(4):
        write_slice(tmp_path / "two" / f"{number}.dcm", STACK[number], number, SeriesInstanceUID=f"1.{number // 2}")
    with pytest.raises(VolumeError, match=r"several datasets; name one with dataset=: '7 thorax 1\.0'"):
        open_volume(tmp_path / "two")
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "two", dataset="7 thorax 1.1")), STACK[2:])
    for number in range(4):
        write_slice(tmp_path / "times" / f"{number}.dcm", STACK[number], number // 2)
    with pytest.raises(VolumeError, match="at the same place"):
        open_volume(tmp_path / "times")
    for number in range(3):  # as positrons are counted: each slice by a scale of its own
        write_slice(tmp_path / "pet" / f"{number}", STACK[number], number, RescaleSlope=str(1 + number))
    for name in "abcdefgh":
        (tmp_path / "pet" / f"{name}.txt").write_text("no picture")
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "pet")), STACK[:3] * np.array([1, 2, 3])[:, None, None])
    for number in range(3):
        nowhere = {"ImageOrientationPatient": [0] * 6, "InstanceNumber": number}
        write_slice(tmp_path / "flat" / f"{number}.dcm", STACK[number], number, **nowhere)
    flat = open_volume(tmp_path / "flat")
    np.testing.assert_array_equal(voxels(flat), STACK[:3])
    assert any("order of their numbers" in words for words in flat.attrs["remarks"])
    write_slice(tmp_path / "turned" / "1.dcm", STACK[0], 0, ImageOrientationPatient=[-1, 0, 0, 0, 1, 0])
    np.testing.assert_array_equal(voxels(open_volume(tmp_path / "turned"))[0], STACK[0, :, ::-1])
    (tmp_path / "gap" / "1.dcm").write_bytes((tmp_path / "gap" / "1.dcm").read_bytes()[:-40])
    with pytest.warns(VolumeWarning), pytest.raises(VolumeError, match=r"1\.dcm|cut short"):
        voxels(open_volume(tmp_path / "gap"))


def test_a_dicom_file_of_many_frames(tmp_path):
    write_slice(
        tmp_path / "f" / "enhanced.dcm",
        STACK[0],
        0,
        NumberOfFrames=4,
        PixelData=STACK.astype("<i2").tobytes(),
        SpacingBetweenSlices=2,
    )
    check(open_volume(tmp_path / "f" / "enhanced.dcm"))


# ------------------------------------------------------------------------------------ precomputed, N5, webKnossos, ims


def precomputed(path: Path, array: np.ndarray, kind: str = "image") -> Any:
    """A neuroglancer volume of two scales, x y z c, 8 x 8 x 40 nm, that begins at voxel (3, 2, 1)."""
    tensorstore = pytest.importorskip("tensorstore")
    data = array.T[..., None]
    for scale in (0, 1):
        part = data[:: 1 + scale, :: 1 + scale]
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{path}/"},
            "multiscale_metadata": {"type": kind, "data_type": str(array.dtype), "num_channels": 1},
            "scale_metadata": {
                "size": list(part.shape[:3]),
                "encoding": "raw",
                "chunk_size": [4, 4, 2],
                "resolution": [8 * (1 + scale), 8 * (1 + scale), 40],
                "voxel_offset": [3, 2, 1],
            },
        }
        store = tensorstore.open(spec, create=True).result()
        store[tensorstore.d[:].translate_to[0]][...] = part
    return tensorstore.open({"driver": "neuroglancer_precomputed", "kvstore": f"file://{path}/"}).result()


def test_neuroglancer_volumes_have_scales_size_and_place(tmp_path):
    array = STACK.astype(np.uint16)
    store = precomputed(tmp_path / "em", array)
    for source in (tmp_path / "em", f"precomputed://file://{tmp_path}/em"):
        volume = open_volume(source)
        check(volume, array, (0.04, 0.008, 0.008))
        assert [float(volume[axis][0]) for axis in "zyx"] == pytest.approx([0.04, 0.016, 0.024])
        assert len(scales(volume)) == 2
        np.testing.assert_array_equal(voxels(open_volume(source, scale=1)), array[:, ::2, ::2])
    check(open_volume(store), array, (0.04, 0.008, 0.008))  # the object itself
    precomputed(tmp_path / "seg", array.astype(np.uint64), "segmentation")
    assert open_volume(tmp_path / "seg").attrs["kind"] == "labels"
    with Store.create(tmp_path / "ws", image=f"precomputed://file://{tmp_path}/em", classes=["cell"]) as made:
        np.testing.assert_array_equal(made.images.open().to_numpy(), array)


def test_stores_behind_an_address(tmp_path):
    array = STACK.astype(np.uint16)
    precomputed(tmp_path / "em", array)
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"precomputed://http://127.0.0.1:{server.server_port}"
        check(open_volume(f"{address}/em"), array, (0.04, 0.008, 0.008))
        with pytest.raises(VolumeError, match="no precomputed volume"):
            open_volume(f"{address}/elsewhere")
        server.shutdown()


def test_n5_containers(tmp_path):
    tensorstore = pytest.importorskip("tensorstore")
    for name in ("raw/s0", "labels"):
        spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{tmp_path}/a.n5/{name}/"}}
        store = tensorstore.open(spec, create=True, dtype="int16", shape=STACK.shape[::-1]).result()
        store[...] = STACK.T
        attributes = tmp_path / "a.n5" / name / "attributes.json"
        noted = json.loads(attributes.read_text())
        noted["pixelResolution"] = {"unit": "nm", "dimensions": [8, 8, 40]}
        attributes.write_text(json.dumps(noted))
    with pytest.raises(VolumeError, match="several datasets; name one with dataset="):
        open_volume(tmp_path / "a.n5")
    check(open_volume(tmp_path / "a.n5", dataset="raw/s0"), size_um=(0.04, 0.008, 0.008))
    check(open_volume(tmp_path / "a.n5" / "labels"), size_um=(0.04, 0.008, 0.008))


def test_webknossos_data_sets_lie_x_before_z(tmp_path):
    zarr.create_array(tmp_path / "color" / "1", data=STACK.T[None], dimension_names=list("cxyz"))
    zarr.create_array(tmp_path / "color" / "2-2-1", data=STACK.T[None, ::2, ::2])
    box = {"topLeft": [0, 0, 0], "width": 8, "height": 6, "depth": 4}
    order = {"c": 0, "x": 1, "y": 2, "z": 3}
    mags = [{"mag": [2, 2, 1], "axisOrder": order}, {"mag": [1, 1, 1], "path": "./color/1", "axisOrder": order}]
    layer = {"name": "color", "category": "color", "boundingBox": box, "dataFormat": "zarr3", "mags": mags}
    properties = {"dataLayers": [layer], "scale": {"factor": [11.0, 12.0, 28.0], "unit": "nanometer"}}
    place = tmp_path / "datasource-properties.json"
    place.write_text(json.dumps(properties))
    check(open_volume(tmp_path), size_um=(0.028, 0.012, 0.011))
    check(open_volume(tmp_path, scale=1), STACK[:, ::2, ::2], (0.028, 0.024, 0.022))
    layer["mags"] = [{"mag": [1, 1, 1], "path": "../elsewhere"}]
    place.write_text(json.dumps(properties))
    with pytest.raises(VolumeError, match="which is not there"):
        open_volume(tmp_path)


def imaris_text(value: object) -> np.ndarray:
    return np.array(list(str(value)), "S1")


def write_imaris(path: Path, array: np.ndarray) -> None:
    """An Imaris file (t, c, z, y, x), its data sets padded to whole blocks, as Imaris does."""
    with h5py.File(path, "w") as file:
        info = file.create_group("DataSetInfo/Image")
        info.attrs["Unit"] = imaris_text("um")
        for at, (start, size) in enumerate(zip((10, 0, 0), (2.0, 3.0, 8.0), strict=True)):
            info.attrs[f"ExtMin{at}"] = imaris_text(start)
            info.attrs[f"ExtMax{at}"] = imaris_text(start + size)
        for time, channel in np.ndindex(array.shape[:2]):
            group = file.create_group(f"DataSet/ResolutionLevel 0/TimePoint {time}/Channel {channel}")
            padded = np.pad(array[time, channel], [(0, 4), (0, 2), (0, 0)])
            group.create_dataset("Data", data=padded, chunks=(4, 4, 4), compression="gzip")
            for axis, size in zip("ZYX", array.shape[2:], strict=True):
                group.attrs[f"ImageSize{axis}"] = imaris_text(size)
            named = file.require_group(f"DataSetInfo/Channel {channel}")
            named.attrs["Name"] = imaris_text(f"stain {channel}")


def test_imaris_files_lose_their_padding(tmp_path):
    write_imaris(tmp_path / "a.ims", np.stack([STACK, STACK + 1000])[None])
    volume = open_volume(tmp_path / "a.ims")
    check(volume, np.stack([STACK, STACK + 1000]), (2.0, 0.5, 0.25))
    assert volume.attrs["channel_names"] == ["stain 0", "stain 1"]
    assert float(volume.x[0]) == pytest.approx(10.125)


# ------------------------------------------------------------------------------------------------------------- bioio


def bio_image(scenes: int = 1) -> Any:
    """A picture of bioio over an array, so that no microscope's file is needed."""
    pytest.importorskip("bioio_base")
    import dask.array as da
    from bioio_base.dimensions import Dimensions
    from bioio_base.types import PhysicalPixelSizes

    return SimpleNamespace(
        dask_data=da.from_array(STACK[None, None], chunks=(1, 1, 2, 6, 8)),
        dims=Dimensions("TCZYX", (1, 1, *STACK.shape)),
        physical_pixel_sizes=PhysicalPixelSizes(2.0, 0.5, 0.25),
        channel_names=["stain"],
        scenes=[f"Image:{at}" for at in range(scenes)],
        current_scene="Image:0",
        resolution_levels=(0,),
    )


def test_a_picture_of_bioio_keeps_its_size_axes_and_names():
    check(open_volume(bio_image()), size_um=(2.0, 0.5, 0.25))
    with pytest.warns(VolumeWarning, match="'Image:0' is shown, Image:1, Image:2 are not"):
        open_volume(bio_image(scenes=3))


def write_czi(path: Path) -> np.ndarray:
    """A file of Zeiss (c, z, y, x), 0.25 µm pixels, slices 2 µm apart."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    stack = np.stack([STACK, STACK + 1000]).astype(np.uint16)
    with czi.create_czi(str(path)) as file:
        for channel, z in np.ndindex(*stack.shape[:2]):
            file.write(stack[channel, z][..., None], plane={"C": channel, "Z": z, "T": 0})
        names = {0: "DAPI", 1: "GFP"}
        file.write_metadata("a", channel_names=names, scale_x=0.25e-6, scale_y=0.25e-6, scale_z=2e-6)
    return stack


def test_files_of_microscopes_go_through_bioio(tmp_path):
    """Those of Leica and Nikon, which no library writes, go the same way."""
    pytest.importorskip("bioio_czi")
    stack = write_czi(tmp_path / "100% ü.czi")
    volume = open_volume(tmp_path / "100% ü.czi")
    check(volume, stack, (2.0, 0.25, 0.25))
    assert volume.attrs["channel_names"] == ["DAPI", "GFP"]
    assert volume.attrs["remarks"] == []
    with Store.create(tmp_path / "ws", image=tmp_path / "100% ü.czi", classes=["cell"], channels="GFP") as store:
        np.testing.assert_array_equal(store.images.open().to_numpy(), stack[1])


@pytest.mark.parametrize("name", ["a.czi", "a.lif", "a.nd2", "a.oib", "a.vsi"])
def test_damaged_files_of_microscopes_get_a_sentence(tmp_path, name):
    pytest.importorskip("bioio")
    (tmp_path / name).write_bytes(os.urandom(200))
    with pytest.raises(VolumeError, match=r"cannot be read|pip install bioio-"):
        open_volume(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "package"),
    [("a.nrrd", "nrrd"), ("a.mha", "SimpleITK"), ("a.dcm", "pydicom"), ("a.czi", "bioio"), ("a.n5", "tensorstore")],
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    place = tmp_path / name
    place.mkdir() if name.endswith(".n5") else place.write_bytes(b"x" * 200)
    with pytest.raises(VolumeError, match=rf"{package}: pip install 'voxloop\[bio\]'"):
        open_volume(place)


def test_opening_a_tiff_imports_none_of_them(tmp_path):
    code = (
        "import sys, numpy, tifffile, voxloop.volumes as v; "
        f"tifffile.imwrite({str(tmp_path / 'a.tif')!r}, numpy.zeros((3, 8, 8), 'u1')); "
        f"v.open_volume({str(tmp_path / 'a.tif')!r}); "
        "print([m for m in ('bioio', 'SimpleITK', 'pydicom', 'tensorstore', 'nrrd') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
