"""The Python on the pages runs as it stands, page by page, in an empty folder. Takes minutes: `make nightly`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["index.md", *sorted(str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs" / "how-to").glob("*.md"))]


def snippets(page: str) -> str:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.mark.nightly
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_to_type_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = snippets(page)
    assert code
    exec(compile(code, page, "exec"), {"__name__": "__main__"})
