"""The site from its sources, without building it: every page has its place, every link and anchor leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path, PurePosixPath

import pages
import pytest
import reference
import sources

ROOT = Path(__file__).parents[2]


@cache
def texts() -> dict[str, str]:
    """Path within the site -> Markdown, of all pages, made and written."""
    written = {path: file.read_text(encoding="utf-8") for path, file in pages.written().items()}
    return {**written, **pages.generated()}


def bare(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(path: str) -> set[str]:
    """What may follow # in a link to a page: ids that are written, and slugs of headings as Markdown makes them."""
    text = bare(texts()[path])
    found = set(re.findall(r'\{#([^\s}]+)[^}]*\}|<a id="([^"]+)"', text))
    named = {one for pair in found for one in pair if one}
    slugs: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.*?)$", text, flags=re.MULTILINE):
        if "{#" in heading:
            continue
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", words).strip().lower())
        named.add(f"{slug}_{slugs[slug]}" if slug in slugs else slug)
        slugs[slug] = slugs.get(slug, 0) + 1
    return named


def links(path: str) -> list[tuple[str, str]]:
    """Page and anchor of every link within the site."""
    text = re.sub(r"`[^`\n]+`", "", bare(texts()[path]))
    out = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target) or target.startswith(("../notebooks/", "../workshop/")):
            continue
        place, _, anchor = target.partition("#")
        parts: list[str] = []
        for part in (PurePosixPath(path).parent / place).parts if place else PurePosixPath(path).parts:
            parts = parts[:-1] if part == ".." else [*parts, part]
        out.append(("/".join(parts), anchor))
    return out


def test_every_link_leads_to_a_page_and_a_place_on_it() -> None:
    broken = []
    for path in texts():
        for target, anchor in links(path):
            if not target.endswith(".md"):
                there = (ROOT / "docs" / target).exists()
            else:
                there = target in texts() and (not anchor or anchor in anchors(target))
            if not there:
                broken.append(f"{path}: {target}#{anchor}")
    assert not broken


def test_forty_questions_have_an_answer_with_a_place() -> None:
    text = texts()["questions.md"]
    asked = re.findall(r"^(\d+)\. (.*)$", text, flags=re.MULTILINE)
    assert [int(number) for number, _ in asked] == list(range(1, 41))
    for number, words in asked:
        inside = [one for one in re.findall(r"\]\(([^)\s]+)\)", words) if not one.startswith("https:")]
        assert inside, number
        assert all("#" in one for one in inside), f"question {number} names no place on a page"
    assert len(re.findall(r"https://github.com/[\w.-]+/[\w.-]+/(?:issues|pull)/\d+", text)) >= 20


def test_every_page_has_one_place_in_the_navigation() -> None:
    sections = pages.navigation(list(texts()))
    placed = [path for section in sections for listed in section.values() for path in listed]
    assert sorted(placed) == sorted(texts())
    assert list(sections[0]) == ["Start"]
    assert placed[0] == "index.md"


def test_a_page_that_nobody_placed_gets_a_place() -> None:
    sections = pages.navigation(["index.md", "a-new-page.md"])
    assert sections == [{"Start": ["index.md"]}, {"How to": ["a-new-page.md"]}]


def test_every_public_name_and_verb_is_in_the_reference() -> None:
    made = pages.generated()
    python = "\n".join(text for path, text in made.items() if path.startswith("reference/"))
    missing = [
        name
        for name in sources.public_names()
        if f"{{#vl.{name}" not in python and f"{{#{name}}}" not in python and f"{{#{name}" not in python
    ]
    assert not missing
    assert [verb for verb in sources.verbs() if f"{{#ws.{verb}}}" not in python] == []
    assert {"train", "predict", "export"} <= set(sources.verbs())


def test_every_setting_and_option_is_in_the_reference() -> None:
    import voxloop as vl
    from voxloop.cli import main

    made = pages.generated()
    for name in reference.CONFIGS:
        for field in getattr(vl, name).model_fields:
            assert f'id="{name}.{field}"' in made["reference/settings.md"]
    for command in main.commands:
        assert f"{{#{command}}}" in made["reference/commands.md"]
    assert "--then-predict" in made["reference/commands.md"]


def test_every_message_is_listed_once() -> None:
    page = pages.generated()["reference/messages.md"]
    ids = re.findall(r'<a id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) == len(sources.messages()) > 1000
    assert "write NAME=VALUE" in page
    for words, place in reference.ANSWERED.items():
        assert [one for one in sources.messages() if re.search(words, one.words)], words
        assert f"../troubleshooting.md#{place}" in page


def test_what_a_page_names_of_the_api_exists() -> None:
    import voxloop as vl
    from voxloop.workspace.workspace import Workspace

    wrong, public = [], sources.public_names()
    for path, file in pages.written().items():
        text = file.read_text(encoding="utf-8")
        for name in set(re.findall(r"\bvl\.([A-Za-z_]\w*)", text)):
            if name not in public:
                wrong.append(f"{path}: vl.{name}")
        for name in set(re.findall(r"\bws\.([a-z_]\w*)\(", text)):
            if not hasattr(Workspace, name) and name not in ("images", "levels"):
                wrong.append(f"{path}: ws.{name}()")
        for name in set(re.findall(r'vl\.presets\["([^"]+)"\]', text)):
            if name not in vl.presets and name != "NAME":
                wrong.append(f"{path}: preset {name}")
    assert not wrong


def test_what_a_page_types_into_a_terminal_exists() -> None:
    from voxloop.cli import main

    wrong = []
    for path, file in pages.written().items():
        for name in set(re.findall(r"(?:^|`)voxloop ([a-z]+)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)):
            if name not in main.commands:
                wrong.append(f"{path}: voxloop {name}")
    assert not wrong


def test_pictures_are_small() -> None:
    for path in (ROOT / "docs").rglob("*"):
        if path.suffix in (".png", ".jpg", ".webp"):
            assert path.stat().st_size <= 150_000, path


def test_words_are_spelt_right() -> None:
    """As codespell knows them; words of ours that it takes for others are listed in pyproject.toml."""
    where = [ROOT / "docs", ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", "--skip", "*.webp,*.png,*.js,*.svg", *map(str, where)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.nightly
def test_the_site_is_built_without_a_warning_and_asks_for_nothing_outside(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img)[^>]*src="(https?:[^"]+)"|<link[^>]*stylesheet[^>]*href="(https?:[^"]+)"', page.read_text()
        )
        assert not loaded, page
    index = (tmp_path / "search" / "search_index.js").read_text()  # a file that a page opened from disk may load
    assert all(f'"{page}/"' in index or f"{page}.html" in index for page in ("honest-numbers", "troubleshooting"))
