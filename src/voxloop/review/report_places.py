"""The part of a report on what a learner of places or pictures reached on pictures that it held out."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from voxloop.review.report_parts import note, number, table
from voxloop.review.run_figure import draw_shares
from voxloop.runs.history import History

#: measures as they are called on the page, in the order in which they are told
NAMES = {
    "oks_map": "OKS mAP (0.5 to 0.95)",
    "oks_mar": "OKS mAR",
    "pck": "PCK, within a fifth of the animal's size",
    "within_3px": "nodes within 3 pixels",
    "median_px": "median distance, pixels",
    "p95_px": "95 % of distances below, pixels",
    "f1": "F1",
    "precision": "precision: of what is found, is there",
    "recall": "recall: of what is there, is found",
    "count_error": "count is off by, mean over pictures",
    "count_error_of_all": "counts are off by, added up, of all that there are",
    "accuracy": "accuracy",
    "balanced_accuracy": "mean of the accuracies of classes",
}
_PERCENTILES = ("p50", "p75", "p90", "p95", "p99")
_ROWS = 40


def describe_held_out(history: History) -> str:
    """Measures with intervals, curves, distances of nodes, counts, confusion; empty where nothing was held out."""
    told = history.measured
    if not told:
        return ""
    detail = told.get("detail") or {}
    lines = [_measures(told, detail.get("intervals") or {})]
    if "pck" in detail:
        curve = detail["pck"]
        lines.append(
            _drawn(
                [(np.asarray(curve["shares"]), np.asarray(curve["within"]), "")],
                "distance, share of the animal's size",
                "share of nodes within (PCK)",
            )
        )
        lines.append(_nodes(detail.get("nodes") or {}))
    if "thresholds" in detail:
        curve = detail["thresholds"]
        at = np.asarray(curve["at"])
        lines.append(
            _drawn(
                [
                    (at, np.asarray(curve["precision"], float), "precision"),
                    (at, np.asarray(curve["recall"], float), "recall"),
                ],
                "peak threshold",
                "share",
            )
        )
    if "confusion" in told:
        lines.append(_confusion(told["confusion"]))
    if detail.get("counts"):
        lines.append(_counts(detail["counts"]))
    return "".join(lines)


def _measures(told: Mapping[str, Any], intervals: Mapping[str, Sequence[float]]) -> str:
    measures = told.get("measures") or {}
    rows = []
    for name in [*(name for name in NAMES if name in measures), *(name for name in measures if "recall/" in name)]:
        low, high = intervals.get(name, (None, None))
        between = f"{number(low)} to {number(high)}" if low is not None else "–"
        rows.append((NAMES.get(name, f"right of {name.partition('/')[2]}"), number(measures[name]), between))
    count = told.get("pictures", 0)
    interval = (
        "The interval is 90 %, from drawing these pictures again and again: it holds for pictures like them, and of "
        "few pictures it is too narrow."
    )
    words = (
        f"On {count} held-out pictures. {interval if count > 1 else 'Of one picture there is no interval.'} They "
        "taught nothing, but chose the epoch that is kept (and of detectors the threshold), which flatters a little."
    )
    return table(("measure", "", "90 % interval"), rows) + note(words)


def _nodes(nodes: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        (name, f"{one['true']:,}", _share(one.get("missed")), *(number(one.get(key)) for key in _PERCENTILES))
        for name, one in nodes.items()
    ]
    return table(("node", "labelled", "missed", "half within, pixels", "75 %", "90 %", "95 %", "99 %"), rows)


def _confusion(confusion: Mapping[str, Any]) -> str:
    names = [str(name) for name in confusion["names"]]
    rows = []
    for name, counts in zip(names, confusion["table"], strict=True):
        total = sum(counts)
        right = counts[names.index(name)] / total if total else None
        rows.append((name, *(f"{count:,}" for count in counts), _share(right)))
    return table(("is, and was said to be", *names, "right"), rows)


def _counts(counts: Sequence[Sequence[Any]]) -> str:
    worst = sorted(counts, key=lambda row: -abs(row[2] - row[1]))[:_ROWS]
    rows = [(str(name), f"{true:,}", f"{found:,}", f"{found - true:+d}") for name, true, found in worst]
    more = f" The {_ROWS} that are off most, of {len(counts)}." if len(counts) > _ROWS else ""
    body = table(("held-out picture", "labelled", "found", "off by"), rows)
    summary = f"Counts of held-out pictures.{more}"
    return f"<details><summary>{html.escape(summary)}</summary>{body}</details>"


def _drawn(lines: Sequence[tuple[np.ndarray, np.ndarray, str]], x: str, y: str) -> str:
    picture = draw_shares(lines, x, y).decode()
    return f'<div class="reliability">{picture[picture.index("<svg") :]}</div>'


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
