"""Objects sorted: into kinds that nobody named, or into classes of which a few were shown. Computes nothing itself."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError, PredictionError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import (
    CopyCode,
    Panel,
    button,
    close_tree,
    column,
    labelled,
    row,
    swatch,
    text,
)
from voxloop.panels.base.rows import Action, Row, RowList
from voxloop.panels.base.work import Attempt, Latest
from voxloop.store import LabelClass
from voxloop.store.classes import PALETTE

if TYPE_CHECKING:
    from voxloop.objects import ObjectClassifier, Objects
    from voxloop.panels.objects.object_kinds import ObjectKinds
    from voxloop.workspace.workspace import Workspace

_METHODS = {"k-means": "kmeans", "HDBSCAN": "hdbscan"}
#: what objects are called that no kind has
_NONE = "of none"
_GRAY = "#8a8f94"


@dataclass(frozen=True, slots=True)
class Sorted:
    """Names of kinds or classes, and which one each object has; ``words`` say how sure that is."""

    of: dict[int, str] = field(default_factory=dict)
    words: str = ""
    classifier: ObjectClassifier | None = None

    @property
    def names(self) -> list[str]:
        """Names that objects have, the most frequent first."""
        counts: dict[str, int] = {}
        for name in self.of.values():
            counts[name] = counts.get(name, 0) + 1
        return sorted(counts, key=lambda name: (name == _NONE, -counts[name], name))

    @property
    def classes(self) -> list[LabelClass]:
        """The names as classes with colours, from 1."""
        return [
            LabelClass(value=at, name=name, color=_GRAY if name == _NONE else PALETTE[(at - 1) % len(PALETTE)])
            for at, name in enumerate(self.names, 1)
        ]


class ObjectSorting:
    """A fold below the measures: kinds, classes, what came of it, and where it is kept.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Where levels and classifiers are kept.
    kinds
        Which objects are selected, and their table; what was sorted is drawn there in colours.
    sorted_
        Called with what was found: its colours lie over the picture.
    """

    def __init__(self, panel: Panel, ws: Workspace, kinds: ObjectKinds, sorted_: Callable[[Sorted], object]) -> None:
        self._panel, self._ws, self._kinds, self._sorted = panel, ws, kinds, sorted_
        self.examples: dict[str, list[int]] = {}
        self.found = Sorted()
        self._finding: Latest[Sorted] = Latest(panel, self._take)
        self.copy = CopyCode()
        panel.on_close(partial(close_tree, self.copy))
        self.fold = Fold("Kinds and classes", self._build, lambda fold: self._offer())
        self.widget = column(self.fold.widget)

    def forget(self) -> None:
        """Other objects are listed: examples and kinds are of those before."""
        self.examples, self.found = {}, Sorted()
        self._finding.forget()
        self._show()

    def sort(self) -> None:
        """Kinds by k-means or HDBSCAN."""
        objects, n, method = self._chosen(), int(self._n.value), _METHODS[str(self._method.value)]
        names = self._measures()
        about = "" if names is None else f", measures={names!r}"
        self.copy.code = f"kinds = objects.cluster({n}, {method!r}{about})"
        self._words.value = "sorting …"
        self._finding.ask(partial(_cluster, objects, n, method, names))

    def add_examples(self) -> None:
        """The selected objects are examples of the class that is named."""
        name, ids = str(self._name.value).strip(), self._kinds.ids
        if not name:
            raise PredictionError("name a class first, for example round")
        if not ids:
            raise PredictionError("no object is selected; click one in the table, or draw a box in a plot")
        for other in self.examples.values():
            other[:] = [one for one in other if one not in ids]
        self.examples.setdefault(name, []).extend(ids)
        self.examples = {key: own for key, own in self.examples.items() if own}
        self._show()

    def learn(self) -> None:
        """Learn the classes from their examples, and give every object one."""
        objects, names = self._chosen(), self._measures()
        examples = {name: sorted(set(ids)) for name, ids in self.examples.items()}
        about = "" if names is None else f", measures={names!r}"
        self.copy.code = f"classifier = objects.classifier({examples!r}{about}); found = objects.classify(classifier)"
        self._words.value = "learning …"
        self._finding.ask(partial(_learn, objects, examples, names))

    def keep(self) -> None:
        """Keep the classifier under a name, for other images."""
        name = str(self._file.value).strip()
        if self.found.classifier is None:
            raise PredictionError("learn classes first: there is no classifier to keep")
        if not name:
            raise PredictionError("name the classifier first, for example shapes")
        path = self._ws.layout.object_classifier(name)
        self.copy.code = f"classifier.save({str(path)!r})"
        self.found.classifier.save(path)
        self._panel.say(f"kept as {path}", "good")
        self._offer()

    def apply(self) -> None:
        """Give every object a class by a classifier that was kept."""
        if not self._kept.value:
            raise PredictionError("no classifier is kept in this workspace yet")
        objects, path = self._chosen(), self._ws.layout.object_classifier(str(self._kept.value))
        self.copy.code = f"found = objects.classify({str(path)!r})"
        self._words.value = "sorting …"
        self._finding.ask(partial(_apply, objects, path))

    def label(self) -> None:
        """Keep what was found as a level of classes: one edit."""
        objects, level = self._chosen(), str(self._level.value).strip()
        if not self.found.of:
            raise LabelError("sort the objects first: there is nothing to keep")
        if not level:
            raise LabelError("name the level first, for example kinds")
        names = [name for name in self.found.names if name != _NONE]
        of = {number: name for number, name in self.found.of.items() if name != _NONE}
        column_ = 'found["class"].to_dict()' if self.found.classifier is not None else "names of kinds"
        self.copy.code = (
            f"ws.levels.add({level!r}, classes={names!r}); "
            f"ws.label_objects({objects.name!r}, {level!r}, classes={column_}, overwrite=True)"
        )
        self._labelling(level, objects, names, of)

    # ------------------------------------------------------------------------------------------------------- helpers

    def _put(self, level: str, objects: Objects, names: list[str], of: dict[int, str]) -> int:
        """Off the UI thread."""
        if level not in self._ws.levels.names:
            self._ws.levels.add(level, classes=names)
        return self._ws.label_objects(objects, level, classes=of, overwrite=True).voxels

    def _labelled(self, voxels: int) -> None:
        self._panel.say(f"{voxels:,} voxels are labelled; undo in the Label step takes it back.", "good")

    def _chosen(self) -> Objects:
        if self._kinds.objects is None:
            raise PredictionError("open a run of objects first")
        return self._kinds.objects

    def _measures(self) -> list[str] | None:
        return list(self._by.value) or None

    def _take(self, found: Sorted) -> None:
        self.found = found
        self._sorted(found)
        self._show()

    def _on_row(self, action: str, name: str) -> None:
        if action == "forget":
            self.examples.pop(name, None)
            self._show()
            return
        self._kinds.select([number for number, one in self.found.of.items() if one == name])

    def _offer(self) -> None:
        """Measures and classifiers as they are now."""
        if not self.fold.body.children:
            return
        table = self._kinds.table
        names = [] if table is None else [name for name in table if name not in _places()]
        if tuple(self._by.options) != tuple(names):
            self._by.options = names
        folder = self._ws.layout.object_classifier("x").parent
        kept = sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []
        if tuple(self._kept.options) != tuple(kept):
            self._kept.options = kept
            self._kept.value = kept[-1] if kept else None
        self._show()

    def _show(self) -> None:
        if not self.fold.body.children:
            return
        shown = []
        counts = dict.fromkeys(self.found.names, 0)
        for name in self.found.of.values():
            counts[name] += 1
        colors = {one.name: one.color for one in self.found.classes}
        for name in dict.fromkeys([*self.found.names, *self.examples]):
            given = len(self.examples.get(name, ()))
            look = swatch(colors[name]) if name in colors else ""
            cells = (
                look,
                html.escape(name),
                f"{counts[name]:,}" if name in counts else "",
                str(given) if given else "",
            )
            actions = (Action("forget", "Forget", "Its examples are examples no more"),) if given else ()
            shown.append(Row(name, cells, actions, title="Click to select its objects"))
        self.list.show(shown)
        self._words.value = html.escape(self.found.words)

    def _build(self) -> list[w.Widget]:
        handler = self._panel.handler
        self._by: Any = w.SelectMultiple(
            options=[], rows=4, **labelled("By", "Measures that count; all where none is chosen (ctrl click)")
        )
        self._method = w.Dropdown(options=list(_METHODS), **labelled("Kinds by", "HDBSCAN finds how many there are"))
        self._n = w.BoundedIntText(
            value=2, min=2, max=999, **labelled("n", "Kinds of k-means; of HDBSCAN the fewest objects of a kind")
        )
        sort = button("Sort into kinds", handler(self.sort), tooltip="Kinds that nobody named, by their measures")
        self._name = w.Text(placeholder="round", **labelled("Class", "The selected objects are examples of it"))
        add = button("Add selected", handler(self.add_examples), icon="plus", tooltip="They are examples of the class")
        learn = button("Learn", handler(self.learn), icon="magic", tooltip="A forest on measures sorts all objects")
        self._file = w.Text(placeholder="shapes", **labelled("Keep as", "The classifier, for objects of other images"))
        keep = button("Keep", handler(self.keep), icon="save", tooltip="Keep the classifier in this workspace")
        self._kept = w.Dropdown(options=[], **labelled("Kept", "Classifiers of this workspace"))
        apply = button("Use it", handler(self.apply), tooltip="Give every object a class by it")
        self._level = w.Text(
            value="kinds", **labelled("Level", "Made where it is not there; one edit, which undo takes back")
        )
        label = button("Make labels", handler(self.label), icon="tag", tooltip="Kinds or classes become labels")
        self._labelling: Attempt[int] = Attempt(self._panel, self._put, self._labelled, button=label)
        self.list = RowList(
            handler(self._on_row), head=("", "Kind or class", "Objects", "Examples"), right=(2, 3), height=160,
            empty="Sort into kinds, or add a few examples of each class and learn.",
        )  # fmt: skip
        self._words = text("", "vx-dim", markup=True)
        return [
            self._by,
            self._method,
            self._n,
            row(sort),
            self._name,
            row(add, learn),
            self.list.widget,
            self._words,
            self._file,
            row(keep),
            self._kept,
            row(apply),
            self._level,
            row(label),
            self.copy,
        ]


def _places() -> tuple[str, ...]:
    from voxloop.objects.sorting import PLACES

    return PLACES


def _cluster(objects: Objects, n: int, method: str, names: list[str] | None) -> Sorted:
    kinds = objects.cluster(n, method, names)
    of = {int(number): f"kind {kind}" if kind else _NONE for number, kind in kinds.items()}
    found = Sorted(of)
    many = len([name for name in found.names if name != _NONE])
    return Sorted(of, f"{many} kinds; kind 1 has most objects. Nothing says that they mean anything: look at them.")


def _learn(objects: Objects, examples: dict[str, list[int]], names: list[str] | None) -> Sorted:
    classifier = objects.classifier(examples, names)
    classes = objects.classify(classifier)["class"].to_dict()
    given = {number: name for name, ids in examples.items() for number in ids}
    of = {int(number): given.get(int(number), str(name)) for number, name in classes.items()}
    return Sorted(of, f"{classifier.agreement.words}.", classifier)


def _apply(objects: Objects, path: Any) -> Sorted:
    from voxloop.objects import ObjectClassifier

    classifier = ObjectClassifier.load(path)
    classes = objects.classify(classifier)["class"].to_dict()
    words = f"{classifier.agreement.words}. Its examples may be of another image."
    return Sorted({int(number): str(name) for number, name in classes.items()}, words, classifier)
