"""The report of a study: what was segmented, counts, distributions, pictures, rules, methods, table. HTML or PDF.

The HTML is self-contained: pictures are in it, no scripts, nothing fetched. The same sections make both.
"""

from __future__ import annotations

import base64
import html
import io
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.review import study_figure
from voxloop.review.report_parts import note, table
from voxloop.review.study_pictures import object_pictures, overview
from voxloop.store.atomic import replace_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from voxloop.review.study import Study

#: images that are shown with their objects, bytes of a table that are put into the page
_SHOWN, _INSIDE = 6, 8_000_000
_NO_SAMPLES = (
    "Objects of one image are no independent samples, so groups are compared by the means of their images. "
    "p values are not corrected for the number of measures."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudySection:
    """A heading with words, tables (head and rows), and figures with their captions below it."""

    title: str
    words: tuple[str, ...] = ()
    tables: tuple[tuple[tuple[str, ...], list[tuple[str, ...]]], ...] = ()
    figures: tuple[tuple[Figure, str], ...] = ()
    small: tuple[str, ...] = field(default=())


def write_report(study: Study, target: Path) -> Path:
    """Write ``.html`` or ``.pdf``. A table too large for the page, and that of a PDF, lies beside it as CSV."""
    beside = target.with_suffix(".csv")
    data = study.csv().encode()
    sections = list(_sections(study))
    if target.suffix.lower() == ".pdf":
        replace_bytes(target, _pdf(study, sections, beside.name))
        replace_bytes(beside, data)
        return target
    inside = len(data) <= _INSIDE
    link = beside.name if not inside else f"data:text/csv;base64,{base64.b64encode(data).decode()}"
    replace_bytes(target, _page(study, sections, link, beside.name).encode())
    if not inside:
        replace_bytes(beside, data)
    return target


def _sections(study: Study) -> Iterator[StudySection]:
    yield StudySection(title="What was segmented", tables=(_segmented(study),))
    yield StudySection(title="Counts", tables=(_frame(study.counts),), small=_chosen(study))
    yield _measures(study)
    many = len(study.groups) > 1
    if many:
        yield StudySection(title="Do groups differ?", tables=(_frame(study.tests),), small=(_NO_SAMPLES,))
    if study.g_ratio is not None:
        yield StudySection(
            title="Axons and myelin",
            tables=(_frame(study.g_ratio),),
            small=(
                "Axon to fibre diameter, of circles of the same area; fibres at the edge of a picture are left out.",
            ),
        )
    yield _pictures(study)
    rows = object_pictures(study)
    if rows:
        made = tuple((study_figure.gallery(pictures), words) for words, pictures in rows)
        yield StudySection(title="Objects", figures=made, small=("Above each: its number, and the first measure.",))
    yield StudySection(
        title="Methods", words=tuple(dict.fromkeys(part.methods for part in study.parts if part.methods))
    )


def _segmented(study: Study) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    names = list(dict.fromkeys(name for part in study.parts for name, _ in part.facts))
    rows = [(part.image, part.group, *(dict(part.facts).get(name, "–") for name in names)) for part in study.parts]
    return ("image", "group", *names), rows


def _chosen(study: Study) -> tuple[str, ...]:
    """Which objects are in the study, and what the columns of rules and classes mean."""
    words = [f"Only objects with {study.only}."] if study.only else []
    words += [f"{name}: {rule}." for name, rule in study.rules.items()]
    words += [f"Classes: {study.classified_by}"] if study.classified_by else []
    return tuple(words)


def _measures(study: Study) -> StudySection:
    figures = [(study_figure.distributions(study), "")]
    scatter = study_figure.scatter(study)
    if scatter is not None:
        figures.append((scatter, ""))
    means = study_figure.means_of_images(study)
    if means is not None:
        figures.append((means, "Each point is the mean of an image, a line the mean of these."))
    small = ["Mean, SD and median of objects; n objects, n images; mean and SD of the means of images."]
    return StudySection(
        title="Measures", tables=(_frame(study.statistics),), figures=tuple(figures), small=tuple(small)
    )


def _pictures(study: Study) -> StudySection:
    figures = []
    for part in study.parts[:_SHOWN]:
        picture = overview(part)
        classes = {int(n): str(c) for n, c in part.table["class"].dropna().items()} if "class" in part.table else {}
        figures.append((study_figure.with_objects(picture, classes, study.classes), picture.title))
    more = len(study.parts) - _SHOWN
    return StudySection(
        title="Pictures", figures=tuple(figures), small=(f"{more} further images are not shown.",) if more > 0 else ()
    )


def _frame(frame: Any) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    head = tuple(str(name).replace("_", " ") for name in frame)
    return head, [tuple(_cell(value) for value in row) for row in frame.itertuples(index=False)]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


# -------------------------------------------------------------------------------------------------------------- pages


def _page(study: Study, sections: list[StudySection], link: str, name: str) -> str:
    sheet = files("voxloop.review").joinpath("run_report.css").read_text(encoding="utf-8")
    body = "".join(f"<section><h2>{html.escape(one.title)}</h2>{_markup(one)}</section>" for one in sections)
    title, link = html.escape(study.name), html.escape(link, quote=True)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{sheet}</style>'
        f"</head><body><header><h1>{title}</h1><p>{html.escape(_summary(study))}</p></header>{body}<section><h2>Table</h2>"
        f'<p><a download="{html.escape(name, quote=True)}" href="{link}">{len(study.table):,} objects, '
        f"{len(study.table.columns)} columns (CSV)</a></p></section></body></html>"
    )


def _summary(study: Study) -> str:
    return (
        f"{len(study.table):,} objects of {len(study.parts)} image{'s' if len(study.parts) > 1 else ''}"
        f"{f' in {len(study.groups)} groups' if len(study.groups) > 1 else ''} · {time.strftime('%Y-%m-%d %H:%M')}"
    )


def _markup(section: StudySection) -> str:
    out = [f"<p>{html.escape(words)}</p>" for words in section.words]
    out += [table(head, rows) for head, rows in section.tables]
    for figure, words in section.figures:
        data = base64.b64encode(_png(figure)).decode()
        caption = f"<figcaption>{html.escape(words)}</figcaption>" if words else ""
        about = html.escape(words or section.title, quote=True)
        width = figure.get_figwidth()
        out.append(
            f'<figure style="max-width: {width * 96:.0f}px"><img style="background: none; image-rendering: auto" '
            f'alt="{about}" src="data:image/png;base64,{data}">{caption}</figure>'
        )
    return "".join(out + [note(words) for words in section.small])


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=130, transparent=True)
    return out.getvalue()


def _pdf(study: Study, sections: list[StudySection], csv: str) -> bytes:
    """Pages of words and tables, each figure after its section."""
    from matplotlib.backends.backend_pdf import PdfPages

    from voxloop.review.study_pages import TextPages

    out = io.BytesIO()
    with PdfPages(out, metadata={"Title": study.name, "CreationDate": None}) as pages:
        written = TextPages(pages.savefig)
        written.heading(study.name, 16)
        written.paragraph(_summary(study))
        for section in sections:
            first = section.figures[0][0] if section.figures and not (section.words or section.tables) else None
            written.heading(section.title, 12, first)
            for words in section.words:
                written.paragraph(words)
            for head, rows in section.tables:
                written.table(head, rows)
            for figure, words in section.figures:
                written.figure(figure, words)
            for words in section.small:
                written.paragraph(words, small=True)
        written.heading("Table", 12)
        written.paragraph(f"{len(study.table):,} objects, {len(study.table.columns)} columns: {csv}, beside this file.")
        written.close()
    return out.getvalue()
