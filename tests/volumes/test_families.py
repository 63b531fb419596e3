"""Files of many programs, each as odd as it comes: right, or said in a sentence or a remark; a row a case."""

from __future__ import annotations

import http.server
import json
import threading

import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr
import zarr

from voxloop.errors import VolumeError
from voxloop.volumes import open_volume, read_block, remote, spacing_of

DATA = np.random.default_rng(0).integers(1, 200, (5, 6, 7), np.uint8)


def hdf5(path, data, name="data", **attributes):
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=data).attrs.update(attributes)
    return path


def matlab(folder):
    path = hdf5(folder / "a.mat", DATA.transpose(0, 2, 1), "volume", MATLAB_class=np.bytes_("uint8"))
    with h5py.File(path, "r+") as file:
        file["#refs#/a"] = np.zeros((2, 2))
    return path


def big_data_viewer(folder):
    path = hdf5(folder / "a.h5", DATA.astype(np.int16), "t00000/s00/0/cells")
    with h5py.File(path, "r+") as file:
        file["t00000/s00/1/cells"] = DATA[:, ::2, ::2].astype(np.int16)
        file["s00/resolutions"] = np.ones((2, 3))
    return path


def spread(folder):
    """An OME-TIFF of a file a plane; opened as the folder they lie in."""
    parts = [f'<TiffData FirstZ="{z}"><UUID FileName="{z}.ome.tif">urn:uuid:{z}</UUID></TiffData>' for z in range(5)]
    for z, plane in enumerate(DATA):
        xml = (
            f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{z}">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="7" SizeY="6" '
            'SizeZ="5" SizeC="1" SizeT="1" PhysicalSizeX="0.2" PhysicalSizeY="0.2" PhysicalSizeZ="1.5">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{"".join(parts)}</Pixels></Image></OME>'
        )
        tifffile.imwrite(folder / f"{z}.ome.tif", plane, description=xml, metadata=None)
    return folder


def slide(folder):
    with tifffile.TiffWriter(folder / "a.svs") as file:
        words = "Aperio Image Library v11\n6x7 |AppMag = 20|MPP = 0.4990"
        file.write(np.stack([DATA[0]] * 3, -1), photometric="rgb", tile=(16, 16), description=words, metadata=None)
    return folder / "a.svs"


def imagej(spacing):
    def make(folder):
        metadata = {"unit": "um", "spacing": spacing, "axes": "ZYX"}
        tifffile.imwrite(folder / "a.tif", DATA, imagej=True, resolution=(2, 2), metadata=metadata)
        return folder / "a.tif"

    return make


def coordinates(**values):
    def make(folder):
        given = {axis: (axis, np.arange(size), {"units": "mm"}) for axis, size in zip("zyx", DATA.shape, strict=True)}
        given |= {axis: (axis, np.asarray(each, float), {"units": "mm"}) for axis, each in values.items()}
        return xr.DataArray(DATA, dims=("z", "y", "x"), coords=given)

    return make


#: how it is made; what is to come out, where other than the data; the size; words of a remark
ROWS = {
    "MATLAB 7.3, rows first": (matlab, None, (1, 1, 1), "MATLAB keeps rows first"),
    "BigDataViewer, the finest": (big_data_viewer, None, None, ""),
    "an OME-TIFF over several files": (spread, None, (1.5, 0.2, 0.2), ""),
    "a scanned slide": (slide, DATA[:1], (0.499, 0.499, 0.499), "equal"),
    "a decimal comma in ImageJ": (imagej("1,5"), None, (1.5, 0.5, 0.5), ""),
    "a word for a distance": (imagej("far"), None, (0.5, 0.5, 0.5), "distance of slices cannot be understood"),
    "a distance below nothing": (imagej(-1.5), None, (1.5, 0.5, 0.5), ""),
    "coordinates that fall": (coordinates(y=np.arange(6)[::-1]), None, (1000, 1000, 1000), "coordinate y falls"),
    "uneven coordinates": (coordinates(x=2.0 ** np.arange(7)), None, None, "x is not evenly spaced"),
    "coordinates that are none": (coordinates(x=[np.nan] * 7), None, None, "x is not evenly spaced"),
}


@pytest.mark.parametrize("name", ROWS)
def test_it_opens_as_it_is_meant(tmp_path, name):
    make, wanted, size, remark = ROWS[name]
    volume = open_volume(make(tmp_path))
    np.testing.assert_array_equal(read_block(volume)[0], DATA if wanted is None else wanted)
    if size is not None:
        np.testing.assert_allclose(spacing_of(volume), size, rtol=1e-3)
    assert any(remark in one for one in volume.attrs["remarks"]) or not remark
    if "fall" in name:
        assert float(volume.y[0]) == 0.0


def unnamed_nifti(folder):
    import nibabel

    image = nibabel.Nifti1Image(DATA.T, np.diag([1.0, 1, 2, 1]))
    image.header.set_xyzt_units("unknown")
    nibabel.save(image, folder / "a.nii")
    return folder / "a.nii"


def test_a_size_without_a_unit_is_remarked_upon(tmp_path):
    assert any("millimetres are assumed" in one for one in open_volume(unnamed_nifti(tmp_path)).attrs["remarks"])


def text(name, content=b""):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def store_without_head(folder):
    zarr.create_array(str(folder / "a.zarr"), data=DATA)
    (folder / "a.zarr/zarr.json").unlink()
    return folder / "a.zarr"


def link(folder):
    (folder / "a.tif").symlink_to("gone.tif")
    return folder / "a.tif"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (text("a.mat", b"MATLAB 5.0 MAT-file"), "-v7.3"),
        (text("a.tif.gz"), r"packed as a whole \(\.gz\); unpack it"),
        (text("a.tar", b"x"), "unpack it"),
        (store_without_head, "called a store but holds neither"),
        (link, "is a link to gone.tif, where nothing is"),
    ],
)
def test_what_cannot_be_opened_says_what_it_is(tmp_path, make, words):
    with pytest.raises(VolumeError, match=words):
        open_volume(make(tmp_path))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Addresses of a server that has the data as ``a.tif`` and ``a.zarr``, sends elsewhere, fails, or says nothing."""
    root = tmp_path_factory.mktemp("served")
    tifffile.imwrite(root / "a.tif", DATA)
    zarr.create_array(str(root / "a.zarr"), data=DATA)
    done = threading.Event()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(root), **options)

        def log_message(self, *arguments):
            pass

        def do_GET(self):
            first, _, rest = self.path.lstrip("/").partition("/")
            if first == "silent":
                done.wait(20)
            if first == "elsewhere":
                self.send_response(302)
                self.send_header("Location", f"http://localhost:{self.server.server_port}/{rest}")
                self.end_headers()
            elif first.isdecimal() or first == "silent":
                self.send_error(int(first) if first.isdecimal() else 503)
            else:
                super().do_GET()

        def do_HEAD(self):
            known = self.path.startswith(("/a.", "/missing"))
            return super().do_HEAD() if known else self.do_GET()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    done.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["a.tif", "a.zarr", "a.tif?token=1", "elsewhere/a.tif", "elsewhere/a.zarr"])
def test_an_address_is_followed(served, tmp_path, monkeypatch, path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    np.testing.assert_array_equal(open_volume(f"{served}/{path}").values, DATA)


@pytest.mark.parametrize("place", ["500/", "403/", "429/", "missing/", "silent/"])
@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_a_server_that_fails_is_told_of_in_a_sentence(served, tmp_path, monkeypatch, place, name):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(remote, "CONNECT_S", 0.3)
    monkeypatch.setattr(remote, "READ_S", 0.3)
    with pytest.raises(VolumeError, match=r"is the address right|does not give the picture now"):
        open_volume(f"{served}/{place}{name}")


def test_axes_that_are_stated_twice_are_remarked_upon(tmp_path):
    tags = json.dumps({"axes": [{"key": key} for key in "zyx"]})
    volume = open_volume(hdf5(tmp_path / "a.h5", DATA, axistags=tags, axes="xyz"))
    np.testing.assert_array_equal(volume.values, DATA)
    assert "the latter is taken" in volume.attrs["remarks"][0]
