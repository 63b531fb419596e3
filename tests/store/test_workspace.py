"""The workspace folder: creating, opening, images, levels, regions, and what happens where something is wrong."""

from __future__ import annotations

import errno
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from voxloop.errors import LabelError, ReadOnlyError, VolumeError, VolumeWarning, WorkspaceError
from voxloop.store import LabelClass, Store, open_labels
from voxloop.store.document import SCHEMA
from voxloop.volumes import open_volume, save_volume

from .conftest import make

PICTURE = np.random.default_rng(0).integers(0, 255, (5, 40, 50)).astype("u1")


@pytest.fixture
def tiff(tmp_path: Path) -> Path:
    return save_volume(PICTURE, tmp_path / "data" / "stack.tif", spacing=(0.05, 0.01, 0.01))


def test_a_picture_given_as_an_array_is_kept_and_one_given_as_a_path_stays(tmp_path: Path, tiff: Path) -> None:
    with Store.create(tmp_path / "ws", image=PICTURE, classes=["cell"], spacing=(0.05, 0.01, 0.02)) as store:
        store.images.add("file", tiff)
        store.images.add("copy", tiff, copy=True)
        store.images.add("volume", open_volume(tiff))  # known to come from a file: stays there
        store.images.add("cut", open_volume(tiff).isel(z=slice(1, 3)))  # is no file any more
    with Store.open(tmp_path / "ws") as store:
        assert store.images.names == ["image", "file", "copy", "volume", "cut"]
        assert [store.images.info(name).own for name in store.images.names] == [True, False, True, False, True]
        assert store.images.info("image").source == "images/image.zarr"
        assert store.images.info("image").spacing_um == (0.05, 0.01, 0.02)
        assert store.images.info("file").source == str(tiff)
        for name in store.images.names:
            wanted = PICTURE[1:3] if name == "cut" else PICTURE
            np.testing.assert_array_equal(store.images.open(name).to_numpy(), wanted)
            assert store.labels("labels", name).shape == wanted.shape
        with pytest.raises(LabelError, match=r"say which image: there are 'image', 'file'"):
            store.labels()


def test_a_path_inside_the_workspace_is_relative_and_moves_with_it(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "ws")
    save_volume(PICTURE, store.path / "raw" / "stack.tif")
    store.images.add("image", store.path / "raw" / "stack.tif")
    assert store.images.info("image").source == "raw/stack.tif"
    store.close()
    (tmp_path / "ws").rename(tmp_path / "moved")
    with Store.open(tmp_path / "moved") as moved:
        assert int(moved.images.open().max()) == PICTURE.max()


def test_open_arguments_come_back(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["one"], file["two"] = PICTURE, 255 - PICTURE
    with Store.create(tmp_path / "ws", image=tmp_path / "a.h5", classes=["a"], dataset="two", spacing=0.2):
        pass
    with Store.open(tmp_path / "ws") as store:
        np.testing.assert_array_equal(store.images.open().to_numpy(), 255 - PICTURE)
        assert store.images.info("image").spacing_um == (0.2, 0.2, 0.2)


def test_a_source_that_moved_names_relink_and_labels_stay(tmp_path: Path, tiff: Path) -> None:
    with Store.create(tmp_path / "ws", image=tiff, classes=["a"]) as store:
        store.labels().paint(index=2, points=[(20, 20)])
    moved = tiff.rename(tmp_path / "elsewhere.tif")
    with Store.open(tmp_path / "ws") as store:
        with pytest.raises(WorkspaceError, match=r"ws.images.relink\('image'"):
            store.images.open()
        assert store.labels().counts()[1] > 20
        other = save_volume(255 - PICTURE, tmp_path / "other.tif")
        with pytest.raises(WorkspaceError, match=r"another picture.*force=True"):
            store.images.relink("image", other)
        with pytest.raises(WorkspaceError, match=r"\(3, 40, 50\).*\(5, 40, 50\)"):
            store.images.relink("image", save_volume(PICTURE[:3], tmp_path / "short.tif"))
        store.images.relink("image", moved)
        np.testing.assert_array_equal(store.images.open().to_numpy(), PICTURE)


def test_links_are_kept_as_they_were_given(tmp_path: Path, tiff: Path) -> None:
    blob = tiff.rename(tmp_path / "5d41402abc4b2a76")  # as caches of data keep files: without a suffix
    (tmp_path / "stack.tif").symlink_to(blob)
    with Store.create(tmp_path / "ws", image=tmp_path / "stack.tif", classes=["a"]) as store:
        np.testing.assert_array_equal(store.images.open().to_numpy(), PICTURE)
    with Store.open(tmp_path / "ws") as store:
        assert store.images.info("image").source == str(tmp_path / "stack.tif")
        np.testing.assert_array_equal(store.images.open().to_numpy(), PICTURE)


def test_images_that_move_with_their_workspace_are_found_and_others_by_their_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for number in range(3):
        save_volume(PICTURE + np.uint8(number), home / "raw" / f"{number}.tif")
    with Store.create(home / "ws", classes=["a"]) as store:
        store.images.add_folder(home / "raw")
    home.rename(tmp_path / "moved")
    with Store.open(tmp_path / "moved" / "ws") as store:
        np.testing.assert_array_equal(store.images.open("2").to_numpy(), PICTURE + np.uint8(2))
    (tmp_path / "moved" / "raw").rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "1.tif").unlink()
    save_volume(255 - PICTURE, tmp_path / "elsewhere" / "1.tif")
    with Store.open(tmp_path / "moved" / "ws") as store:
        with pytest.raises(WorkspaceError, match=r"relink_folder\(folder\)"):
            store.images.open("0")
        assert [info.name for info in store.images.relink_folder(tmp_path)] == ["0", "2"]  # 1 is another picture now
        store.images.open("2")
        with pytest.raises(WorkspaceError, match=r"missing are '1'"):
            store.images.relink_folder(tmp_path)


def test_another_picture_in_the_place_of_the_source_is_noticed(tmp_path: Path, tiff: Path) -> None:
    Store.create(tmp_path / "ws", image=tiff, classes=["a"]).close()
    with Store.open(tmp_path / "ws") as store, warnings.catch_warnings():
        warnings.simplefilter("error")
        store.images.open()
    save_volume(255 - PICTURE, tiff, overwrite=True)
    with Store.open(tmp_path / "ws") as store:
        with pytest.warns(VolumeWarning, match="another picture"):
            volume = store.images.open()
        assert "another picture" in volume.attrs["remarks"][0]
        store.images.relink("image", tiff, force=True)
    with Store.open(tmp_path / "ws") as store:
        assert not store.images.open().attrs["remarks"]


def test_an_array_that_the_disk_has_no_room_for_is_refused_before_it_is_copied(tmp_path: Path) -> None:
    import dask.array as da

    huge = da.zeros((10_000, 10_000, 10_000_000), dtype=np.uint8, chunks=1000)
    with make(tmp_path / "ws") as store:
        with pytest.raises(WorkspaceError, match=r"1,000,000\.0 GB.*GB are free"):
            store.images.add("huge", huge)
        assert not list(store.path.glob("images/*huge*"))
        assert "huge" not in store.images.names


def test_copying_an_array_says_how_far_it_is_and_leaves_nothing_when_stopped(tmp_path: Path) -> None:
    import dask.array as da

    lazy = da.random.random((24, 1024, 600), chunks=(4, 256, 600)).astype("f4")
    told: list[tuple[int, int]] = []

    def until_half(done: int, total: int) -> None:
        told.append((done, total))
        if done > total / 2:
            raise InterruptedError

    with pytest.raises(WorkspaceError, match="stopped; nothing was added"):
        Store.create(tmp_path / "new", image=lazy, progress=until_half, spacing=1)
    assert not (tmp_path / "new").exists()
    assert told[-1][1] == lazy.nbytes
    with Store.create(tmp_path / "ws") as store:
        with pytest.raises(WorkspaceError, match="stopped; nothing was added"):
            store.images.add("image", lazy, progress=until_half, spacing=1)
        assert store.images.names == []
        assert not any((store.path / "images").iterdir())
        told.clear()
        store.images.add("image", lazy, progress=lambda *bytes_read: told.append(bytes_read), spacing=1)
        done = [one for one, _ in told]
        assert done == sorted(done)
        assert len(set(done)) > 1
        assert done[-1] == lazy.nbytes
        assert store.images.open("image").shape == lazy.shape


def test_a_time_series_of_volumes_has_labels_of_its_own_at_each_time(tmp_path: Path) -> None:
    movie = np.random.default_rng(0).integers(0, 255, (11, 3, 20, 30)).astype("u1")
    tifffile.imwrite(tmp_path / "movie.ome.tif", movie, metadata={"axes": "TZYX"})
    with pytest.raises(VolumeError, match=r"11 time points of 3 slices; .*add_times"):
        Store.create(tmp_path / "ws", image=tmp_path / "movie.ome.tif", classes=["cell"])
    with Store.create(tmp_path / "ws", image=tmp_path / "movie.ome.tif", classes=["cell"], times=True) as store:
        assert store.images.names[:2] == ["image t00", "image t01"]
        assert store.images.times("image t04") == store.images.names
        np.testing.assert_array_equal(store.images["image t10"].to_numpy(), movie[10])
        store.labels(image="image t04").paint(axis="z", index=1, points=[(5, 5)], radius=2, value=1)
        assert not store.labels(image="image t05").read().any()
        store.images.add("single", PICTURE)
        assert store.images.times("single") == ["single"]
        with pytest.raises(WorkspaceError, match="has no time points"):
            store.images.add_times("more", save_volume(PICTURE, tmp_path / "stack.tif"))
        with pytest.raises(WorkspaceError, match="has no time points of several slices"):
            store.images.add_times("film", movie[:, 0], axes="tyx")
        with pytest.raises(WorkspaceError, match="'image t00' already"):
            store.images.add_times("image", tmp_path / "movie.ome.tif")
        store.images.add_times("copy", movie, axes="tzyx")
        assert store.images.info("copy t10").own
        np.testing.assert_array_equal(store.images["copy t10"].to_numpy(), movie[10])
        store.images.remove("copy t05")
        assert len(store.images.times("copy t10")) == 10
    with Store.open(tmp_path / "ws") as store:
        assert store.labels(image="image t04").read().any()
        assert len(store.images.times("image t00")) == 11


def test_a_dask_array_that_cannot_be_computed_is_no_image(tmp_path: Path) -> None:
    import dask.array as da

    def broken(block: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("division by zero")

    lazy = da.from_array(PICTURE, chunks=20).map_blocks(broken, dtype=PICTURE.dtype, meta=PICTURE[:0])
    with pytest.raises(VolumeError, match="cannot be computed"):
        Store.create(tmp_path / "ws", image=lazy, classes=["cell"])
    assert not (tmp_path / "ws").exists()


def test_a_series_that_is_stopped_half_way_leaves_nothing(tmp_path: Path) -> None:
    reads = []

    def third(done: int, total: int) -> None:
        reads.append(done)
        if len(reads) > 4:
            raise InterruptedError

    with Store.create(tmp_path / "ws") as store:
        with pytest.raises(WorkspaceError, match="stopped"):
            store.images.add_times("movie", np.zeros((6, 3, 20, 30), "u1"), axes="tzyx", progress=third)
        assert store.images.names == []
        assert not any((store.path / "images").iterdir())


def test_file_addresses_are_paths(tmp_path: Path) -> None:
    path = save_volume(PICTURE, tmp_path / "50% öl" / "a b.tif")
    with Store.create(tmp_path / "ws", image=path.as_uri(), classes=["a"]) as store:
        assert store.images.path("image") == str(path)
        np.testing.assert_array_equal(store.images.open().to_numpy(), PICTURE)


def test_a_source_that_changed_its_shape_is_refused(tmp_path: Path, tiff: Path) -> None:
    Store.create(tmp_path / "ws", image=tiff, classes=["a"]).close()
    save_volume(PICTURE[:3], tiff, overwrite=True)
    with Store.open(tmp_path / "ws") as store, pytest.raises(WorkspaceError, match=r"3, 40, 50.*it had.*relink"):
        store.images.open()


def test_a_folder_of_pictures_of_several_sizes(tmp_path: Path) -> None:
    from imageio.v3 import imwrite

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(["a.b.png", "a-b.png", "c.png"]):
        imwrite(folder / name, PICTURE[0, : 20 + number])
    (folder / "notes.txt").write_text("no picture")
    with Store.create(tmp_path / "ws", classes=["a"]) as store:
        added = store.images.add_folder(folder)
        assert [info.name for info in added] == ["a-b", "a-b-2", "c"]
        assert [info.shape[1] for info in added] == [21, 20, 22]
        assert store.labels("labels", "c").chunks == (1, 256, 256)
        imwrite(folder / "c.png", PICTURE[0, 1:23])
        again = [info.name for info in store.images.add_folder(folder)]
        assert again == ["a-b", "a-b-2", "c-2"]  # the last is another picture now
        (folder / "d.png").write_bytes(b"no picture")
        with pytest.raises(VolumeError):
            store.images.add_folder(folder)
        assert len(store.images) == 4
        with pytest.raises(WorkspaceError, match=r"no pictures"):
            store.images.add_folder(tmp_path)


def test_classes_get_values_colours_keys_and_a_background(tmp_path: Path) -> None:
    given = ["mito", {"name": "golgi", "color": "#FF0000", "value": 7}, LabelClass(name="Rest", locked=True)]
    with make(tmp_path / "ws", classes=given) as store:
        mito, golgi, rest = store.levels["labels"].classes
        assert [c.value for c in (mito, golgi, rest)] == [1, 7, 2]
        assert [c.color for c in (mito, golgi, rest)] == ["#e69f00", "#ff0000", "#56b4e9"]
        assert [c.background for c in (mito, golgi, rest)] == [False, False, True]
        assert [c.shortcut for c in (mito, golgi, rest)] == ["1", "7", "2"]
        added = store.levels.add_class("labels", "nucleus")
        assert (added.value, added.color) == (3, "#009e73")
        changed = store.levels.change_class("labels", "nucleus", name="cell nucleus", visible=False)
        assert (changed.value, changed.visible) == (3, False)
        assert not store.levels.change_class("labels", "Rest", background=False).background
        store.labels().paint(points=[(9, 9)], value="cell nucleus")
        with pytest.raises(LabelError, match=r"still has labels"):
            store.levels.remove_class("labels", 3)
        with pytest.raises(LabelError, match=r"two classes have the name 'mito'"):
            store.levels.add_class("labels", "mito")
        store.levels.remove_class("labels", "mito")
    with Store.open(tmp_path / "ws") as store:
        assert [c.name for c in store.levels["labels"].classes] == ["golgi", "Rest", "cell nucleus"]


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        (["a", "a"], "two classes have the name 'a'"),
        ([{"name": "a", "colour": "#ff0000"}], "did you mean 'color'"),
        ([{"name": "a", "color": "red"}], "#rrggbb"),
        ("mito", "list of names"),
        ([3], "not int"),
        ([{"name": "a", "value": 256}], "255"),
        ([f"c{n}" for n in range(256)], "at most 255"),
    ],
)
def test_classes_that_cannot_be(tmp_path: Path, classes: object, says: str) -> None:
    with pytest.raises(LabelError, match=says):
        Store.create(tmp_path / "ws", classes=classes)  # type: ignore[arg-type]
    assert not (tmp_path / "ws").exists()


def test_a_renamed_level_keeps_its_labels_and_older_runs_find_it(store: Store) -> None:
    store.levels.add("parts", ["a"], parent=("labels", "object"))
    store.labels("labels").paint(points=[(9, 9)])
    store.levels.rename("labels", "cells")
    assert store.labels("cells").counts() == open_labels(store.path, "labels", "image").counts() != {}
    assert store.levels["parts"].parent == ("cells", "object")
    with pytest.raises(LabelError, match=r"already"):
        store.levels.add("labels", ["a"])
    with pytest.raises(LabelError, match=r"parent of 'parts'"):
        store.levels.remove("cells")
    store.levels.remove("parts")
    store.levels.remove("cells")
    assert store.levels.names == []
    removed = [path.name for path in (store.path / "removed").rglob("*.jsonl")]
    assert "labels.image.jsonl" in removed  # nothing is lost by a slip
    assert store.clean() == 0
    assert store.clean(removed=True) > 0


def test_regions_have_names(store: Store) -> None:
    store.regions.add("corner", (slice(0, 4), slice(0, 30)))
    labels = store.labels()
    labels.write("corner", 2)
    assert labels.counts() == {2: 4 * 30 * 150}
    assert labels.read("corner").shape == (4, 30, 150)
    with pytest.raises(WorkspaceError, match=r"unknown region 'korner'.*did you mean 'corner'"):
        labels.read("korner")
    with pytest.raises(ValueError, match=r"reaches past"):
        store.regions.add("outside", (slice(0, 400),))


def test_what_cannot_be_created_or_opened(tmp_path: Path, tiff: Path) -> None:
    with pytest.raises(VolumeError):
        Store.create(tmp_path / "new", image=tmp_path / "missing.tif", classes=["a"])
    assert not (tmp_path / "new").exists()
    with pytest.raises(WorkspaceError, match=r"in use; choose a new folder"):
        Store.create(tiff.parent)
    assert tiff.exists()
    with pytest.raises(WorkspaceError, match=r"not a workspace"):
        Store.open(tiff.parent)
    with pytest.raises(WorkspaceError, match=r"does not exist"):
        Store.open(tmp_path / "nowhere")
    with pytest.raises(WorkspaceError, match=r"is a file"):
        Store.open(tiff)
    Store.create(tmp_path / "ws").close()
    with pytest.raises(WorkspaceError, match=r"a workspace already; Workspace.open"):
        Store.create(tmp_path / "ws")
    (tmp_path / "ws" / "workspace.json").write_text('{"images": [')
    with pytest.raises(WorkspaceError, match=r"damaged"):
        Store.open(tmp_path / "ws")
    with pytest.raises(WorkspaceError, match=r"such as 'a-b'"):
        make(tmp_path / "names").levels.add("a/b", ["x"])


def test_a_newer_schema_opens_read_only_and_says_so(store: Store) -> None:
    store.labels().paint(points=[(9, 9)])
    store.close()
    path = store.path / "workspace.json"
    document = json.loads(path.read_text())
    document |= {"schema_version": SCHEMA + 1, "holograms": [1]}
    document["levels"][0]["classes"][0]["texture"] = "striped"
    path.write_text(json.dumps(document))
    with Store.open(store.path) as newer:
        assert newer.read_only
        assert newer.labels().counts()
        with pytest.raises(ReadOnlyError, match=r"newer voxloop.*update voxloop"):
            newer.levels.add("more", ["a"])
        with pytest.raises(ReadOnlyError, match=r"newer voxloop"):
            newer.labels().paint(points=[(9, 9)])
    assert json.loads(path.read_text()) == document


def test_a_folder_that_cannot_be_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.labels().paint(points=[(9, 9)])
    store.close()
    real = os.open

    def refuse(path: object, flags: int, *rest: int, **how: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(store.path) in str(path):
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, *rest, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)  # permissions do not stop root, so the system is made to refuse
    with Store.open(store.path) as still:
        assert still.read_only
        assert still.labels().counts()
        with pytest.raises(ReadOnlyError, match=r"cannot be written.*Read-only file system"):
            still.labels().paint(points=[(9, 9)])
    with pytest.raises(ReadOnlyError, match=r"cannot be written"):
        Store.open(store.path, read_only=False)


def test_a_full_disk_leaves_the_document_as_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxloop.store import atomic

    def full(fd: int, data: bytes) -> None:
        os.write(fd, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(atomic, "write_all", full)
        with pytest.raises(WorkspaceError, match=r"No space left.*nothing was changed"):
            store.levels.add("more", ["a"])
    assert store.levels.names == ["labels"]
    store.close()
    with Store.open(store.path) as again:
        assert again.levels.names == ["labels"]
    assert sorted(path.name for path in store.path.iterdir()) == ["workspace.json", "writer.lock"]


def test_sizes_add_up_and_derived_data_can_go(store: Store) -> None:
    store.labels().paint(points=[(9, 9)])
    store.labels().flush()
    (store.path / "derived" / "scales").mkdir(parents=True)
    (store.path / "derived" / "scales" / "a").write_bytes(b"x" * 1000)
    (store.path / "objects").mkdir()
    (store.path / "objects" / "table.csv").write_bytes(b"x" * 10)
    size = store.size()
    assert size["derived"] == 1000
    assert size["total"] == sum(p.stat().st_size for p in store.path.rglob("*") if p.is_file())
    assert store.clean() == 1000
    assert "derived" not in store.size()
    assert store.labels().counts()


def test_other_programs_see_colours_and_names(with_image: Callable[..., Store]) -> None:
    import zarr
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    store = with_image(PICTURE, spacing=(0.05, 0.01, 0.01))
    labels = store.labels()
    labels.paint(index=2, points=[(20, 20)], radius=5)
    labels.flush()
    store.levels.change_class("labels", "object", color="#0072b2")
    group = zarr.open_group(labels.path, mode="r")
    assert group.attrs["voxloop"] == {"applied": 1}
    image_label = group.attrs["ome"]["image-label"]
    assert {"label-value": 1, "rgba": [0, 0x72, 0xB2, 255]} in image_label["colors"]
    assert {"label-value": 1, "class": "object"} in image_label["properties"]
    scale = group.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == [0.05, 0.01, 0.01]
    assert group["0"].chunks == (16, 128, 128)
    location = parse_url(labels.path)
    assert location is not None
    nodes = list(Reader(location)())
    np.testing.assert_array_equal(np.asarray(nodes[0].data[0]), labels.read())
    assert nodes[0].metadata["axes"][0]["unit"] == "micrometer"
