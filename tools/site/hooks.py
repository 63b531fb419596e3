"""What mkdocs calls while it builds: adds the pages that are made from code, and the order of all pages."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import pages
from mkdocs.structure.files import File, Files

#: where links to files of the repository lead
_BLOB = "https://github.com/voxloop/voxloop/blob/main/"


def on_files(files: Files, config: Any) -> Files:
    for path, text in pages.generated().items():
        files.append(File.generated(config, path, content=text))
    config.nav = pages.navigation([file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links out of docs/ lead to the repository."""
    return re.sub(r"\]\(\.\./(?=(?:notebooks|tests|benchmarks|src|deploy|workshop)/)", f"]({_BLOB}", markdown)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Docstrings speak of methods as Sphinx does; a page shows the name alone."""
    return re.sub(r":(?:meth|class|func|attr|mod|data|exc):(?=<code>)", "", html)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The script that lets the search work from disk lies beside the pages."""
    return output.replace(
        "https://unpkg.com/iframe-worker/shim", "../" * page.url.count("/") + "assets/iframe-worker.js"
    )


def on_post_template(output: str, template_name: str, config: Any) -> str:
    return output.replace("https://unpkg.com/iframe-worker/shim", "/assets/iframe-worker.js")
