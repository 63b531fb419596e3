"""All pages that are made, not written, and the order of all pages. What the build and the tests share."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import reference
from sources import ROOT

DOCS = ROOT / "docs"
#: section -> pages in order. A page that is not there yet is left out; one that nobody placed goes to the last section.
NAVIGATION: dict[str, list[str]] = {
    "Start": ["index.md", "install.md", "tutorials/*", "questions.md", "glossary.md", "gallery.md"],
    "How to": [
        *("how-to/membranes.md", "how-to/organelles.md", "how-to/nuclei.md", "how-to/animals.md", "how-to/phases.md"),
        *("points.md", "animals-and-counts.md", "objects.md", "tools.md", "supervoxels.md", "levels.md"),
        *("people.md", "pictures.md", "view3d.md", "formats.md", "exchange.md", "neighbours.md", "clusters.md"),
        *("elsewhere.md", "hub.md", "gpu.md", "workshop.md"),
        *("front-ends.md", "troubleshooting.md"),
    ],
    "Panels": [
        *("panels/index.md", "panels/workbench.md", "panels/volume.md", "panels/channels.md", "panels/label.md"),
        *("panels/people.md", "panels/points.md", "panels/pictures.md", "panels/train.md", "panels/monitor.md"),
        *("panels/predict.md", "panels/review.md", "panels/objects.md", "panels/view3d.md"),
    ],
    "Coming from": ["coming-from.md", "coming-from-others.md"],
    "Reference": [
        *(
            "reference/settings.md",
            "reference/commands.md",
            "reference/workspace.md",
            "reference/rooms.md",
            "reference/*",
            "files.md",
            "reference/messages.md",
        ),
    ],
    "What it reaches": ["honest-numbers.md", "benchmarks.md", "security.md"],
    "Project": ["architecture.md", "project/contributing.md", "project/changes.md", "policy.md", "project/*"],
}
MORE = "How to"


@cache
def generated() -> dict[str, str]:
    """Path within the site -> Markdown."""
    return {
        **reference.python_pages(),
        "reference/rooms.md": reference.rooms_page(),
        "reference/settings.md": reference.settings_page(),
        "reference/commands.md": reference.commands_page(),
        "reference/messages.md": reference.messages_page(),
        "project/changes.md": _adopted(ROOT / "CHANGELOG.md"),
        "project/contributing.md": _adopted(ROOT / "CONTRIBUTING.md"),
        "project/conduct.md": _adopted(ROOT / "CODE_OF_CONDUCT.md"),
        "project/reporting.md": _adopted(ROOT / "SECURITY.md"),
        **{f"tutorials/{path.stem}.md": _notebook(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))},
    }


def written() -> dict[str, Path]:
    """Path within the site -> the file, of all pages under docs/."""
    return {str(path.relative_to(DOCS)): path for path in sorted(DOCS.rglob("*.md"))}


def navigation(paths: list[str]) -> list[dict[str, list[str]]]:
    """Sections with their pages, in order; every path once."""
    left = list(paths)
    sections: dict[str, list[str]] = {}
    patterns = {pattern for patterns in NAVIGATION.values() for pattern in patterns}
    for section, wanted in NAVIGATION.items():
        sections[section] = []
        for pattern in wanted:
            folder = pattern.removesuffix("*")
            found = [one for one in left if (one.startswith(folder) and one not in patterns) or one == pattern]
            found = found if pattern.endswith("*") else [one for one in left if one == pattern]
            sections[section] += found
            left = [one for one in left if one not in found]
    sections[MORE] += left
    return [{section: pages} for section, pages in sections.items() if pages]


def _adopted(path: Path) -> str:
    """A page of the repository's root, its links turned to where they lead from here."""
    if not path.exists():
        return f"# {path.stem}\n"
    text = re.sub(r"\]\(docs/([\w./#-]+)\)", r"](../\1)", path.read_text(encoding="utf-8"))
    return text.replace("](SECURITY.md)", "](reporting.md)")


def _notebook(path: Path) -> str:
    """A notebook as a page: its words and its code, without what it put out."""
    import json

    lines = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines += [re.sub(r"\]\((\d\d-[\w-]+)\.ipynb\)", r"](\1.md)", text), ""]
        elif text.strip():
            lines += ["```python", text, "```", ""]
    where = f"*This page is the notebook `{path.name}`; `voxloop lab --tutorial {path.stem[:2]}` opens it to be run.*"
    lines.insert(1, f"{where}\n")
    return "\n".join(lines)
