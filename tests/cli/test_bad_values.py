"""Whatever is typed behind any command: an answer, or one line and exit code 2; never a stack of calls."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from tests.workspace.test_bad_values import made  # noqa: F401

from voxloop.cli import main
from voxloop.runs import Run

WORDS = [
    "", " ", "x", "nan", "-1", "0", "1e999", "9" * 400, "../..", "/", "~nobody/x", "a\0b", "a\nb", "é", "\udcff", "--",
    "*", "%s", "{}", "[]", "a,b", "1,2", "0:1", "0:-9:2,:", ":", "=", "a=", "=1", "epochs=nan", "null", "-",
    "http://127.0.0.1:9/x.zarr", "file:///nowhere", "x" * 300, "p", "labels", "/dev/null", ".",
]  # fmt: skip
#: what stands for the arguments of a command where another one is tried
USUAL = {
    "workspace": "WS", "prediction": "p", "truth": "labels", "models": "forest", "run": "forest", "source": "TIF",
    "what": "labels", "path": "OUT", "images": "PAIRS", "masks": None,
    "notebook": "nowhere.ipynb", "other": "nowhere", "name": "a", "names": None, "changes": "learning_rate=1e-4",
    "film": "FILM", "folder": "nowhere", "repository": "hf:me/x", "file": "nowhere.vxl",
}  # fmt: skip
#: options without which a command would do much
ALWAYS = {
    "demo": ["--image", "nowhere.tif", "--truth", "nowhere.tif"], "benchmark": ["--data", "nowhere", "--to", "b.json"],
    "pull": ["--offline"], "push": ["--json"],
    "replay": ["--run", "p"], "clip": ["--overwrite", "--stop", "1"], "train": ["--detach", "--set", "trees=0"],
}  # fmt: skip


@pytest.fixture(scope="module")
def home(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:  # noqa: F811
    folder = tmp_path_factory.mktemp("typed")
    (folder / "pairs").mkdir()
    (folder / "cwd").mkdir()
    for name in ("a", "a_mask"):
        tifffile.imwrite(folder / "pairs" / f"{name}.tif", np.ones((20, 20), np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "cwd")
        patch.setattr(Run, "launch", lambda run, queue=True: run)
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nobody answers
        patch.setattr("voxloop.lab.serve", lambda *args, **keys: 0)
        shutil.copytree(made, folder / "ws")
        yield folder


def typed(home: Path, command: str, *words: str) -> int:
    """The exit code of a command; what it says on the way is looked at."""
    done = CliRunner().invoke(main, [*command.split(), *words])
    what = f"voxloop {command} {' '.join(words)!a:.200}"
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        done.exception.add_note(what)
        raise done.exception
    assert done.exit_code in (0, 1, 2), what
    said = done.stderr.strip().splitlines()
    if done.exit_code == 2:
        assert said, what
        assert len(said) == 1 or said[0].startswith("Usage:"), (what, said)
    return int(done.exit_code)


def lines(home: Path, command: str) -> Iterator[list[str]]:
    """A line for each place of a command, and each word in it."""
    fill = {
        "WS": str(home / "ws"), "TIF": str(home / "pairs" / "a.tif"), "OUT": str(home / "out.tif"),
        "PAIRS": str(home / "pairs"), "FILM": str(home / "out.mp4"),
    }  # fmt: skip
    parameters = COMMANDS[command].params
    given = [p for p in parameters if isinstance(p, click.Argument)]
    usual = {p.name: fill.get(str(USUAL[p.name]), USUAL[p.name]) for p in given}
    always = ALWAYS.get(command, [])
    for number, word in enumerate(WORDS):
        for place, parameter in enumerate(parameters):
            if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.opts[0] in always):
                continue
            if (number + place) % 3 and command in ("predict", "objects", "train", "pairs", "export", "push"):
                continue  # these open much before they look
            words = [str(word if p is parameter else usual[p.name]) for p in given if p is parameter or usual[p.name]]
            option = [parameter.opts[0], word] if isinstance(parameter, click.Option) else []
            yield [*option, *always, "--", *words] if word != "--" else [*always, *words, *option]


def commands(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Every command, those of groups by both words."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in commands(command))
        else:
            yield name, command


COMMANDS = dict(commands(main))


def test_no_command_is_put_off_by_a_word(home: Path) -> None:
    tried = refused = 0
    before = (home / "ws" / "workspace.json").read_bytes()
    runs = {path.name for path in (home / "ws" / "runs").iterdir()}
    for command in COMMANDS:
        for words in lines(home, command):
            refused += typed(home, command, *words) == 2
            tried += 1
        if (home / "ws" / "workspace.json").read_bytes() != before:
            assert command in ("pairs", "sets", "predict", "channels add"), command
            (home / "ws" / "workspace.json").write_bytes(before)
        for path in (home / "ws" / "runs").iterdir():
            if path.name not in runs:
                shutil.rmtree(path)
    assert tried > 1000
    assert refused > 700
