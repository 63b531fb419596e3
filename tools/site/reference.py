"""Reference pages, made from the code at build time: settings, commands, Python, messages. Markdown in, none kept."""

from __future__ import annotations

import html
import re
import types
from collections import defaultdict
from typing import Any, Literal, Union, get_args, get_origin

from sources import Message, defined_at, error_words, messages, public_names, verbs

#: page of the Python reference -> its title and the public names on it; what is in none comes last, on "more"
PAGES: dict[str, tuple[str, list[str]]] = {
    "workspace": ("Workspace", ["Workspace"]),
    "volumes": ("Volumes", ["open_volume", "save_volume", "scales", "samples", "from_napari"]),
    "labels": ("Labels", ["Labels", "Level", "LabelClass", "Edit", "Skeleton", "author"]),
    "runs": (
        "Runs and models",
        ["Run", "History", "load_model", "pull", "push", "train_pack", "TorchModel", "inspect", "bioimageio"],
    ),
    "predictions": (
        "Predictions and scores",
        ["Prediction", "predict", "Report", "evaluate", "Suggestion", "simulate"],
    ),
    "objects": ("Objects and tracks", ["Objects", "objects", "Tracks"]),
    "panels": (
        "Panels",
        [
            *("Workbench", "VolumePanel", "ChannelsPanel", "LabelPanel", "PointsPanel", "TrainPanel", "MonitorPanel"),
            *("PredictPanel", "ReviewPanel", "ObjectsPanel", "PicturesPanel", "View3D", "PlaneView", "Classroom"),
        ],
    ),
}
#: what a workspace holds, by the name it has there -> where it is defined
ROOMS = {
    "ws.images": "voxloop.store.images.Images",
    "ws.levels": "voxloop.store.levels.Levels",
    "ws.regions": "voxloop.store.regions.Regions",
    "ws.sets": "voxloop.store.sets.Sets",
    "ws.tiles": "voxloop.store.catalogue.tiles.Tiles",
    "ws.catalogue(name)": "voxloop.store.catalogue.catalogue.Catalogue",
    "ws.points(level)": "voxloop.store.points.point_labels.PointLabels",
    "ws.boxes(level)": "voxloop.store.points.box_labels.BoxLabels",
    "ws.pictures(level)": "voxloop.store.points.picture_labels.PictureLabels",
    "ws.channels": "voxloop.workspace.channels.Channels",
    "ws.supervoxels": "voxloop.workspace.supervoxels.ImageSupervoxels",
    "ws.runs": "voxloop.runs.folder.Runs",
    "ws.rounds": "voxloop.review.rounds.Rounds",
    "ws.reuse": "voxloop.workspace.reuse.Reuse",
}
#: what the examples on these pages work with
_GIVEN = (
    "All of these are reached as `vl.NAME` after `import voxloop as vl`. Examples run as they stand, each on fresh "
    "copies: `ws` is a small workspace of four cells, painted, trained and predicted once; `film` one of two flies in "
    "four frames; `volume` and `truth` are the picture of the cells and their numbers; `nuclei` are labels of these."
)
#: configs have a page of their own, made from their fields
CONFIGS = ("ShallowConfig", "DeepConfig", "PredictConfig", "ObjectsConfig", "PoseConfig", "DetectConfig")
CONFIGS += ("PictureConfig", "TracksConfig")
_ROOMS = {
    "store": "Labels, levels, the folder on disk",
    "volumes": "Opening and writing pictures",
    "deep": "Networks",
    "shallow": "The pixel classifier",
    "panels": "In a panel",
    "config": "Settings",
    "lab": "Starting",
    "guides": "Objects from a click",
    "cli": "The command line",
    "demo": "The command line",
}


#: words of messages -> the place in Troubleshooting that answers them at length
ANSWERED = {
    r"needs matplotlib|pip install 'voxloop\[(?!lab)": "missing-package",
    r"JupyterLab is not installed": "no-jupyterlab",
    r"has no GPU|could not start on the GPU": "no-cuda",
    r"cannot be fetched": "no-network",
    r"holds no pictures|^… cannot be opened": "cannot-open",
    r"timepoint=": "time-and-z",
    r"another picture than|were moved": "moved",
    r"read-only": "read-only",
    r"zero=…|say what they mean": "zero",
    r"the mask has shape|its mask …; they must": "mask-size",
    r"is locked; unlock it or choose": "nothing-painted",
    r"only one class|nothing is labelled": "no-strokes",
    r"not enough memory": "memory",
    r"the loss was no number": "nan",
    r"is busy with": "queued",
    r"no run to resume": "interrupted",
}


def python_pages() -> dict[str, str]:
    """Path -> page of the Python reference."""
    names = public_names()
    placed = {name for _, listed in PAGES.values() for name in listed} | set(CONFIGS) | {"presets"}
    rest = [name for name in names if name not in placed]
    pages = {f"reference/{page}.md": _python_page(*given, names) for page, given in PAGES.items()}
    if rest:
        pages["reference/more.md"] = _python_page("More names", rest, names)
    return pages


def _python_page(title: str, listed: list[str], names: dict[str, str]) -> str:
    lines = [f"# {title}", "", _GIVEN, ""]
    for name in listed:
        if name in names:
            lines += _entry(name, defined_at(names[name]))
    return "\n".join(lines)


def rooms_page() -> str:
    """What a workspace holds: images, levels, points, boxes, channels, runs, each with its verbs."""
    lines = ["# What a workspace holds", "", _GIVEN, ""]
    for name, dotted in ROOMS.items():
        lines += [f"## {name} {{#{name.partition('(')[0]}}}", "", f"::: {dotted}", "    options:"]
        lines += ["      inherited_members: true", "      heading_level: 3", ""]
    return "\n".join(lines)


def _entry(name: str, dotted: str) -> list[str]:
    if name == "Workspace":
        return _workspace(dotted)
    if name in ("inspect", "bioimageio"):
        return _names_of(name, dotted)
    if name == "samples":
        dotted = "voxloop.volumes.samples"
    whole = ["      inherited_members: true"] if name in ("Labels", "Objects") else []
    return [f"## vl.{name} {{#vl.{name}}}", "", f"::: {dotted}", *_option("heading_level", 3), *whole, ""]


def _workspace(dotted: str) -> list[str]:
    lines = ["## vl.Workspace {#vl.Workspace}", "", f"::: {dotted}", "    options:"]
    listed = ", ".join(f'"!^{verb}$"' for verb in verbs())
    lines += [f'      filters: ["!^_", {listed}]', "      inherited_members: true", "      heading_level: 3", ""]
    for verb, function in verbs().items():
        lines += [f"## ws.{verb} {{#ws.{verb}}}", "", f"::: {function}", *_option("heading_level", 3), ""]
    return lines


def _names_of(name: str, dotted: str) -> list[str]:
    """The functions that a stub hands on."""
    import ast

    from sources import PACKAGE

    lines = []
    for node in ast.parse((PACKAGE / f"{name}.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                called = alias.asname or alias.name
                lines += [f"## vl.{name}.{called} {{#vl.{name}.{called}}}", ""]
                lines += [f"::: {node.module}.{alias.name}", *_option("heading_level", 3), ""]
    return lines


def _option(name: str, value: object) -> list[str]:
    return ["    options:", f"      {name}: {value}"]


def settings_page() -> str:
    """Every setting of every config: name, values, default, what it does."""
    import voxloop as vl

    lines = [
        "# Settings",
        "",
        "Each setting is a field of a config: the same name in Python (`vl.DeepConfig(epochs=5)`), on the command line",
        "(`--set epochs=5`) and, as its label, in the form. A config cannot be changed, only copied:",
        '`vl.presets["auto"].changed(epochs=5)`. Settings marked *live* may be changed while a run is at work.',
        "",
    ]
    for name in CONFIGS:
        config = getattr(vl, name)
        lines += [f"## {name} {{#{name}}}", "", _first_lines(config.__doc__), "", *_settings(name, config)]
    lines += ["## Presets {#presets}", "", "`vl.presets[NAME]`, `voxloop train --preset NAME`.", ""]
    lines += ["| preset | config | what for |", "|---|---|---|"]
    for name, preset in vl.presets.items():
        about = _cell(f"{vl.presets.purposes.get(name, '')}. {vl.presets.about(name)}".lstrip(". "))
        lines.append(f"| `{name}` | `{type(preset).__name__}` | {about} |")
    return "\n".join(lines) + "\n"


def _settings(owner: str, config: Any) -> list[str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, field in config.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = field.get_default(call_default_factory=True)
        nested = hasattr(type(default), "model_fields")
        shown = "see below" if nested else repr(default)
        words = (field.description or "") + (" (*live*)" if extra.get("live") else "")
        unit = f" {extra['unit']}" if extra.get("unit") else ""
        cells = [f'<a id="{owner}.{name}"></a>`{name}`', _values(field, extra), f"`{_cell(shown)}`{unit}", _cell(words)]
        groups[str(extra.get("group") or "Basic")].append(f"| {' | '.join(cells)} |")
        if nested:
            groups[f"{name}: within"] += _nested(owner, name, type(default))
    lines = []
    for group, rows in groups.items():
        lines += [f"**{group}**", "", "| setting | values | default | what it does |", "|---|---|---|---|", *rows, ""]
    return lines


def _nested(owner: str, prefix: str, config: Any) -> list[str]:
    rows = []
    for name, field in config.model_fields.items():
        default = field.get_default(call_default_factory=True)
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        dotted = f"{prefix}.{name}"
        if hasattr(type(default), "model_fields"):
            rows += _nested(owner, dotted, type(default))
            continue
        words = _cell(field.description or "")
        anchor = f'<a id="{owner}.{dotted}"></a>'
        rows.append(f"| {anchor}`{dotted}` | {_values(field, extra)} | `{_cell(repr(default))}` | {words} |")
    return rows


def _values(field: Any, extra: dict[str, Any]) -> str:
    """What a setting may be, as short as it can be said."""
    closed = [one for one in _literals(field.annotation) if one is not None]
    if closed:
        return ", ".join(f"`{_cell(str(one))}`" for one in closed)
    bounds: dict[str, float] = {}
    for one in field.metadata:
        for sign in ("ge", "gt", "le", "lt"):
            if getattr(one, sign, None) is not None:
                bounds[sign] = getattr(one, sign)
    low = f"{bounds['ge']} to" if "ge" in bounds else f"above {bounds['gt']}, to" if "gt" in bounds else "up to"
    high = bounds.get("le", bounds.get("lt"))
    if bounds:
        return f"{low} {high}" if high is not None else low.replace(", to", "").replace(" to", " or more")
    if extra.get("choices"):
        shown = extra["choices"][:6]
        return ", ".join(f"`{_cell(one)}`" for one in shown) + (", …" if len(extra["choices"]) > 6 else "")
    return _cell(_type_words(field.annotation))


def _literals(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [one for one in get_args(annotation) if one is not type(None)]
        return _literals(parts[0]) if len(parts) == 1 else []
    return []


def _type_words(annotation: Any) -> str:
    if annotation is bool:
        return "on, off"
    text = getattr(annotation, "__name__", str(annotation)) if not get_args(annotation) else str(annotation)
    return re.sub(r"voxloop\.[\w.]+\.", "", text.replace("typing.", "").replace("collections.abc.", ""))


def _first_lines(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())


def _cell(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def commands_page() -> str:
    """Every command with its arguments and options."""
    import click

    from voxloop.cli import main

    lines = [
        "# Command line",
        "",
        "One command for each verb. `--json` prints one JSON object for other programs. Exit code 0: done; 1: a run",
        "failed; 2: something in the input, said in one line. Ctrl C leaves a run running and says so.",
        "",
    ]
    for name, command in main.commands.items():
        lines += _command(name, command, 2)
        if isinstance(command, click.Group):
            for inner, part in command.commands.items():
                lines += _command(f"{name} {inner}", part, 3)
    return "\n".join(lines)


def _command(name: str, command: Any, level: int) -> list[str]:
    import click

    context = click.Context(command, info_name=f"voxloop {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"{'#' * level} voxloop {name} {{#{name.replace(' ', '-')}}}", "", _cell(command.help or ""), ""]
    lines += ["```", f"voxloop {name} {usage}", "```", ""]
    options = [one for one in command.params if isinstance(one, click.Option)]
    if options:
        lines += ["| option | what it does |", "|---|---|"]
        for one in options:
            record = one.get_help_record(context)
            if record:
                lines.append(f"| `{_cell(record[0])}` | {_cell(record[1])} |")
        lines.append("")
    return lines


def messages_page() -> str:
    """Every sentence that voxloop may answer with, by error and by room; each has an anchor."""
    found = messages()
    lines = [
        "# Messages",
        "",
        f"All {len(found)} sentences with which voxloop refuses something; paste yours below. `…` stands",
        "for what was given. Each says what is allowed and the nearest thing that works. Those that are met most are",
        "answered at length in [Troubleshooting](../troubleshooting.md).",
        "",
        "In Python each is an exception of the family named above it; all are `vl.VoxloopError`. A panel shows the",
        "sentence, the command line prints it and ends with exit code 2.",
        "",
        '<input id="vx-message" type="search" placeholder="Paste the message you got" '
        'aria-label="Paste the message you got">',
        '<p id="vx-message-found" aria-live="polite"></p>',
        '<script src="../assets/messages.js" defer></script>',
        "",
    ]
    seen: set[str] = set()
    for error, about in error_words().items():
        mine = [one for one in found if one.error == error]
        if not mine:
            continue
        lines += [f"## {error} {{#{error}}}", "", _first_lines(about), ""]
        for room in dict.fromkeys(one.room for one in mine):
            lines += [f"### {_ROOMS.get(room, room.capitalize())} {{#{error}-{room}}}", ""]
            lines += [_message(one, seen) for one in mine if one.room == room]
            lines.append("")
    return "\n".join(lines)


def _message(message: Message, seen: set[str]) -> str:
    slug = re.sub(r"\W+", "-", message.words.replace("…", "")).strip("-").lower()[:60].strip("-")
    anchor = slug
    number = 2
    while anchor in seen:
        anchor = f"{slug}-{number}"
        number += 1
    seen.add(anchor)
    help_ = next((place for words, place in ANSWERED.items() if re.search(words, message.words)), None)
    there = f" → [what to do](../troubleshooting.md#{help_})" if help_ else ""
    return f'- <a id="{anchor}"></a>{_plain(message.words)}{there}'


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return re.sub(r"([\\`*_\[\]{}#|~^$])", r"\\\1", html.escape(text, quote=False))
