"""Every public verb with arguments that are right, to be given wrong ones; and what is left out, with reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import voxloop as vl
from voxloop import DeepConfig, ObjectsConfig, ShallowConfig, Workspace
from voxloop.errors import VoxloopError

STROKE = {
    "axis": "z", "index": 1, "points": [(5, 5), (20, 30)], "radius": 2, "depth": None, "radius_um": None,
    "joined": False,
}  # fmt: skip
SHAPE = {"axis": "z", "index": 1, "points": [(5, 5), (20, 30)], "value": 1, "mode": "add", "depth": None}
POINTED = {
    "axis": "z", "index": 1, "positive": [(9, 9)], "negative": [(2, 2)], "box": [(4, 4), (20, 30)], "scribble": None,
    "against": None, "value": 1, "slices": 0, "channel": 0, "mode": "add",
}  # fmt: skip
OPEN = {"dataset": None, "spacing": None, "unit": "micrometer", "channels": None, "timepoint": None, "axes": None}

MARKS = ("PointLabels", "BoxLabels", "PictureLabels")
#: what all marks have, and what points and boxes share
ON_MARKS: dict[str, dict[str, Any]] = {
    "remove": {"ids": 1}, "change": {"ids": 1, "track": "1", "label": None, "locked": False, "score": None},
    "accept": {"ids": 1}, "clear": {"frames": None, "predicted": True, "below": None, "tracks": None},
    "picture": {"frame": 0}, "instance": {"number": 1}, "count": {"frame": None}, "history": {"sequence": 1},
    "read": {"frame": None},
}  # fmt: skip
ON_PLACED: dict[str, dict[str, Any]] = {
    "near": {"index": 0, "reach": 0.5}, "is_empty": {"frame": None}, "arrays": {"predicted": None, "author": None},
    "add_many": {"instances": [], "predicted": False}, "replace_predictions": {"frames": None, "instances": []},
    "set_empty": {"frame": None, "empty": True},
    "set_tracks": {"tracks": {1: "1"}}, "swap_tracks": {"track": "1", "other": "2", "frame": 0},
    "join_tracks": {"track": "1", "other": "2"}, "split_track": {"track": "1", "frame": 1, "new": None},
    "remove_track": {"track": "1", "frame": 0}, "likely_mistakes": {"n": None},
}  # fmt: skip
SAID = {"label": None, "track": None, "predicted": False, "score": None}

#: what cannot be given anything wrong, or is no verb of a user
LEFT_OUT = {
    "keys", "values", "items",  # of every mapping
    "Workspace.clean", "Workspace.close", "Workspace.size", "Store.check_open_to_runs", "Store.check_writable",
    "Store.close", "Store.refresh", "Store.remarks", "Store.size", "Runs.table", "ScoreCache.compute_next",
    "ScoreCache.heads", "ScoreCache.table", "Labels.as_volume", "Labels.close", "Labels.counts", "Labels.facts",
    "Labels.flush", "Labels.renumber", "Labels.next_id", "Labels.redo", "Labels.refresh", "Labels.touched",
    "Labels.undo",
    "Labels.write_header", "Run.cancel", "Run.check", "Run.pauses", "Run.events", "Run.open_result", "Run.pause",
    "Run.stop", "Labels.put", "Labels.in_range",
    "Prediction.delete", "Prediction.tiles_done", "Objects.delete", "PointAudit.weights",
    "FieldAudit.weights",  # nothing is given
    "Store.change", "Store.set_aside", "Images.together", "Runs.warm", "ScoreCache.at_rest", "ScoreCache.at_work",
    "ScoreCache.ground_of", "ScoreCache.made_by", "ScoreCache.opened", "Labels.edit", "Labels.intensities",
    "Labels.next_step", "Regions.active_on", "Regions.undo", "Channels.undo",
    "Labels.shows", "Labels.note", "Labels.after", "Catalogue.say_each",  # for voxloop itself
    "Store.create", "Store.open", "Store.labels", "Run.finished",  # for voxloop itself
    "Store.boxes", "Store.marks", "Store.pictures", "Store.points", "Store.holds",  # for voxloop itself
    "Catalogue.counts", "Catalogue.entries", "Catalogue.redo", "Catalogue.table", "Catalogue.undo",  # nothing is given
    "Levels.of_kind", *(f"{name}.{verb}" for name in ("PointLabels", "BoxLabels", "PictureLabels") for verb in (
        "close", "counts", "redo", "refresh", "shows", "table", "undo", "add_mixed", "reshaping", "on_edit",
        "free_track", "has", "after", "take_over",
    )),  # nothing is given, or for voxloop itself
    "Run.launch", "Run.delete",  # tried by tests of processes, and of what is discarded
}  # fmt: skip


class Verbs:
    """The verbs of an opened workspace in which a pixel classifier was trained, with two predictions and objects."""

    def __init__(self, ws: Workspace, folder: Path) -> None:
        self.ws, out = ws, folder / "out"
        self.folder, self.out = folder, out
        out.mkdir(exist_ok=True)
        labels, run = ws.labels("labels", "image"), ws.runs["forest"]
        model, picture = run.model(), folder / "pairs" / "a.tif"
        self.points, self.fields = ws.audit("p", n=40), ws.audit("p", "fields")
        ws.levels.add("spots", kind="points", skeleton=["head", "tail"])
        ws.levels.add("frames", kind="boxes")
        ws.levels.add("kinds", kind="pictures", classes=["a", "b"])
        ws.tiles.add("patches", size=16)
        tile = ws.catalogue("patches").names[0]
        ws.catalogue("patches").save(out / "patches.csv")
        self.owners: dict[str, Any] = {
            "Workspace": ws, "Images": ws.images, "Levels": ws.levels, "Sets": ws.sets, "Regions": ws.regions,
            "Runs": ws.runs, "Predictions": ws.predictions, "ScoreCache": ws.scores, "Rounds": ws.rounds,
            "Tiles": ws.tiles, "Catalogue": ws.catalogue("patches"),
            "Store": ws.store, "Channels": ws.channels, "Labels": labels, "Run": run, "Prediction": ws.predictions["p"],
            "PointLabels": ws.points("spots"), "BoxLabels": ws.boxes("frames"), "PictureLabels": ws.pictures("kinds"),
            "Objects": ws.runs["o"].result, "PointAudit": self.points, "FieldAudit": self.fields, "Model": model,
            "vl": vl, "vl.inspect": vl.inspect, "vl.objects": vl.objects, "vl.samples": vl.samples,
            "vl.bioimageio": vl.bioimageio, "vl.presets": vl.presets,
        }  # fmt: skip
        forest = ShallowConfig(trees=2, sigmas_um=(1.0,), dimensions="2d", level="labels")
        ones = np.ones((2, 9, 9), np.uint8)
        self.table: dict[str, dict[str, Any]] = {
            "Workspace.accept": {"prediction": "p", "region": (slice(0, 1),), "classes": None, "above": 0.9},
            "Workspace.add_pairs": {
                "images": folder / "pairs", "masks": None, "level": "labels", "zero": None, "values": None,
                "copy": False, "spacing": None,
            },
            "Workspace.audit": {"prediction": "p", "how": "points", "n": 40, "seed": 0},
            "Workspace.pack": {"training": "forest", "path": out / "forest.vxl", "name": None},
            "Workspace.unpack": {"path": folder / "no.vxl", "name": None},
            "vl.train_pack": {"path": folder / "no.vxl", "to": None, "queue": True},
            "Workspace.best": {"image": None, "level": None},
            "Workspace.clip": {
                "path": out / "c.mp4", "image": None, "axis": "z", "start": 0, "stop": 1, "step": 1, "region": None,
                "layers": ["labels", "p", "o"], "opacity": 0.5, "fps": 10, "scale": 1, "contrast": None,
                "channels": None, "trail": 0, "names": False, "color_by": "track", "scale_bar": True, "caption": True,
                "overwrite": True,
            },
            "Workspace.scene3d": {
                "image": None, "layers": ["labels", "o"], "planes": {"z": 1}, "clip": None, "opacity": 1.0,
                "budget": 5000,
            },
            "Workspace.compare": {"models": ["p", "q"], "image": None, "on": None, "level": 0.9},
            "Workspace.create": {
                "path": out / "made", "image": None, "classes": ["a"], "exist_ok": True, "level": "labels",
                "kind": "semantic", "image_name": "image", "copy": False, "times": False, "spacing": None,
            },
            "Workspace.doctor": {"n": 5, "run": None},
            "Workspace.agreement": {
                "one": "p", "other": "labels", "image": None, "mapping": {"disc": "disc"}, "region": (slice(0, 1),),
                "kind": "auto", "unlabelled": "auto", "boundaries": False, "reach_um": 2.0, "dataset": None,
            },
            "Workspace.authors": {"level": "labels", "image": "image", "author": labels.authors[0]},
            "Workspace.merge": {"other": folder / "no", "level": None, "image": None, "classes": {"disc": "disc"}},
            "Labels.by": {"author": labels.authors[0]},
            "Workspace.evaluate": {"prediction": "p", "truth": "labels"},
            "Workspace.export": {
                "what": "labels", "path": out / "l.tif", "kind": "labels", "image": None, "region": None,
                "number": None, "overwrite": True, "predictions": (), "ngff": "0.5",
            },
            "Workspace.export_model": {"run": "forest", "path": out / "m.zip", "overwrite": True},
            "Workspace.fit_objects": {"prediction": "p", "of": None, "level": None},
            "Workspace.forecast": {"run_or_model": "forest", "image": None, "region": None, "config": None},
            "Workspace.labels": {"level": "labels", "image": None},
            "Workspace.methods": {"prediction": "p", "report": None},
            "Workspace.objects": {
                "prediction": "p", "config": None, "of": "disc", "region": None, "name": None,
                "image": None, "kind": None,
            },
            "Workspace.doubtful_objects": {"level": "labels", "prediction": "p", "image": None},
            "Workspace.g_ratio": {
                "source": "labels", "axon": 1, "myelin": 2, "image": None, "min_axon_um2": 0.0,
            },
            "Workspace.label_objects": {
                "objects": "o", "level": "labels", "value": 1, "classes": None, "ids": None, "image": None,
                "overwrite": False,
            },
            "Workspace.object_classes": {"objects": "o", "level": "kinds"},
            "Workspace.study": {
                "objects": "o", "groups": {"all": ["image"]}, "measures": ["area_um2"],
                "rules": {"large": "area_um2 > 0"}, "only": "", "classes": {1: "a"}, "name": "Study",
            },
            "Workspace.offer": {"image": None, "level": None},
            "Workspace.open": {"path": folder / "nowhere", "read_only": None},
            "Workspace.predict": {
                "run_or_model": "forest", "image": None, "region": None, "name": None, "config": None
            },
            "Workspace.score": {"prediction": "p", "level": 0.9},
            "Workspace.set_voxel_size": {"image": None, "spacing": (1, 1, 1), "unit": "micrometer"},
            "Workspace.suggest": {
                "prediction": "p", "n": 2, "strategy": "gain", "seed": 0, "images": None, "region": None
            },
            "Workspace.track": {
                "prediction": "things", "method": "lap", "max_distance_um": 5.0, "number": None, "image": None,
                "name": None, "config": None,
            },
            "Workspace.train": {"config": forest, "name": None, "queue": True, "then_predict": None, "note": ""},
            "Images.add": {"name": "new", "source": picture, "copy": False, "progress": None, **OPEN},
            "Images.add_folder": {"path": folder / "pairs", "masks": None, "copy": False, "spacing": None},
            "Images.add_times": {"name": "new", "source": picture},
            "Images.free_name": {"wanted": "x", "taken": ()},
            "Images.get": {"key": "x", "default": None},
            "Images.info": {"name": "image"},
            "Images.one": {"name": "image"},
            "Images.open": {"name": "image"},
            "Images.path": {"name": "image"},
            "Images.prepare": {"name": "new", "source": picture, "copy": False},
            "Images.relink": {"name": "image", "source": picture, "force": False},
            "Images.relink_folder": {"folder": folder / "pairs"},
            "Images.remove": {"name": "nothing"},
            "Images.scales": {"name": "image"},
            "Images.times": {"name": "image"},
            "Levels.add": {"name": "new", "classes": ["a"], "parent": None, "kind": "semantic"},
            "Levels.add_class": {"level": "labels", "new": "c"},
            "Levels.change_class": {
                "level": "labels", "given": 1, "name": "n", "color": "#ffffff", "locked": False, "visible": True,
                "shortcut": "",
            },
            "Levels.get": {"key": "labels", "default": None},
            "Levels.remove": {"name": "nothing"},
            "Levels.remove_class": {"level": "labels", "given": "nothing"},
            "Levels.rename": {"name": "labels", "new": "other"},
            "Levels.add_node": {"level": "spots", "node": "middle", "joined_to": "head"},
            "Levels.rename_node": {"level": "spots", "node": "head", "new": "nose"},
            "Levels.remove_node": {"level": "spots", "node": "tail"},
            "Levels.set_skeleton": {"level": "spots", "skeleton": ["head", "tail"]},
            "Workspace.catalogue": {"name": "patches"},
            "Tiles.add": {"name": "new", "image": None, "size": 16, "overlap": 2, "unit": "voxel", "scale": 1},
            "Tiles.change": {"name": "patches", "image": None, "size": 16, "overlap": 0, "unit": "voxel", "scale": 1},
            "Tiles.get": {"key": "patches", "default": None},
            "Tiles.infos": {"name": "patches"},
            "Tiles.remove": {"name": "nothing"},
            "Tiles.words": {"name": "patches"},
            "Catalogue.read": {"item": tile},
            "Catalogue.region": {"item": tile},
            "Catalogue.place": {"item": tile},
            "Catalogue.find": {
                "words": "x", "status": "done", "quality": "good", "assignee": "me", "label": "a", "level": None,
            },
            "Catalogue.labelled": {"level": None},
            "Catalogue.in_set": {"name": "mine"},
            "Catalogue.set": {"items": [tile], "status": "done", "quality": "", "note": "n", "assignee": "me"},
            "Catalogue.assign": {"items": [tile], "label": "a", "level": "kinds"},
            "Catalogue.assign_each": {"labels": {tile: "a"}, "level": "kinds"},
            "Catalogue.classes": {"level": "kinds"},
            "Catalogue.class_level": {"level": None},
            "Catalogue.rows": {"items": [tile], "level": "labels"},
            "Catalogue.add_to_set": {"name": "mine", "items": [tile], "level": "labels", "out_of": None},
            "Catalogue.take_out_of_set": {"name": "nothing", "items": [tile]},
            "Catalogue.save": {"path": out / "c.csv"},
            "Catalogue.load": {"path": out / "patches.csv", "skip_unknown": False},
            "Workspace.points": {"level": "spots", "image": None},
            "Workspace.boxes": {"level": "frames", "image": None},
            "Workspace.pictures": {"level": "kinds", "image": None},
            "PointLabels.add": {"frame": None, "points": {"head": (0, 5, 5)}, "hidden": (), "scores": None, **SAID},
            "PointLabels.move": {"number": 1, "points": {"head": (0, 6, 6)}},
            "PointLabels.hide": {"number": 1, "nodes": "head", "hidden": True},
            "PointLabels.load": {"path": folder / "nothing.csv"},
            "PointLabels.save": {"path": out / "points.csv"},
            "BoxLabels.add": {"frame": None, "box": ((0, 5, 5), (1, 9, 9)), **SAID},
            "BoxLabels.move": {"number": 1, "box": ((0, 5, 5), (1, 9, 9))},
            "BoxLabels.corners": {"given": ((0, 5, 5), (1, 9, 9))},
            "BoxLabels.load": {"path": folder / "nothing.csv"},
            "BoxLabels.save": {"path": out / "boxes.csv"},
            "PictureLabels.assign": {"frame": None, "label": "a", "predicted": False, "score": None},
            "PictureLabels.assign_many": {"labels": {None: "a"}, "predicted": False, "scores": None},
            "PictureLabels.classes_of": {"predicted": None, "author": None},
            **{f"{name}.{verb}": told for name in MARKS for verb, told in ON_MARKS.items()},
            **{f"{name}.{verb}": told for name in MARKS[:2] for verb, told in ON_PLACED.items()},
            "Levels.reparent": {"name": "things", "parent": ("labels", "disc"), "crop": True},
            "Levels.outside": {"name": "things", "parent": ("labels", "disc")},
            "Levels.crop": {"name": "labels", "image": None, "region": None},
            "Sets.add": {"name": "s", "rows": None, "note": ""},
            "Sets.duplicate": {"name": "mine", "new": None},
            "Sets.edit": {"name": "mine", "rows": [("image", "labels")], "note": ""},
            "Sets.get": {"key": "mine", "default": None},
            "Sets.remove": {"name": "nothing"},
            "Sets.versions": {"name": "mine"},
            "Regions.add": {
                "name": "part", "region": (slice(0, 2),), "image": None, "outline": [(5, 5), (5, 30), (30, 30)],
                "axis": "z",
            },
            "Regions.of": {"image": None},
            "Regions.active": {"image": None},
            "Regions.activate": {"name": "nothing"},
            "Regions.deactivate": {"image": None},
            "Regions.rename": {"name": "nothing", "new": "part 2"},
            "Regions.get": {"key": "part", "default": None},
            "Regions.remove": {"name": "nothing"},
            "Runs.ancestors": {"name": "forest"},
            "Runs.compare": {"*": "forest"},
            "Runs.create": {
                "name": None, "task": "voxloop.shallow.learner:train", "settings": {}, "kind": None, "learner": None,
                "result": None, "device": "cpu", "title": "",
            },
            "Runs.get": {"name": "forest", "default": None},
            "Predictions.get": {"key": "p", "default": None},
            "ScoreCache.compute": {"name": "p"},
            "ScoreCache.of_prediction": {"name": "p"},
            "ScoreCache.of_run": {"run": run},
            "Rounds.branch": {"which": 1, "name": None, "level": None},
            "Rounds.go_back": {"which": 1, "level": None},
            "Rounds.named": {"which": 1, "level": None},
            "Rounds.outlook": {"level": "labels", "image": "image"},
            "Rounds.reached": {"level": "labels", "image": "image"},
            "Rounds.read": {"level": None},
            "Rounds.table": {"level": None},
            "Store.clean": {"removed": False},
            "Labels.box": {**SHAPE},
            "Labels.ellipse": {**SHAPE},
            "Labels.refine": {
                "operation": "dilate", "radius_um": 2.0, "scope": "slice", "value": 1, "axis": "z", "index": 1,
                "region": None, "overwrite": False,
            },
            "Labels.picture": {"channel": 0},
            "Labels.changes": {"since": 0, "most": 10},
            "Labels.copy_slice": {"axis": "z", "source": 1, "target": 2, "values": None, "overwrite": False},
            "Labels.copy": {
                "axis": "z", "source": 1, "to": [2], "points": None, "values": None, "image": None, "overwrite": False,
            },
            "Labels.outline_at": {"axis": "z", "index": 1, "point": (5, 5)},
            "Labels.drawn": {"stroke": "x"},
            "Labels.erase": STROKE,
            "Labels.fill": {
                "axis": "z", "index": 1, "point": (5, 5), "value": 1, "by": "image", "tolerance": 5, "volume": False,
                "reach": 9, "channel": 0,
            },
            "Labels.history": {"sequence": 1},
            "Labels.interpolate": {"axis": "z", "first": 0, "last": 3, "values": None, "overwrite": False},
            "Labels.load": {"source": picture, "zero": None, "values": None, "overwrite": True, "region": None},
            "Labels.made_by": {"region": None, "since": 0},
            "Labels.on_edit": {"callback": print},
            "Labels.lock": {"ids": [1]},
            "Labels.merge": {"ids": [1, 2]},
            "Labels.next_object": {"after": None, "by": "size"},
            "Labels.object_at": {"point": (0, 1, 1)},
            "Labels.object_box": {"object_id": 1},
            "Labels.object_middle": {"object_id": 1},
            "Labels.relabel": {"numbers": {1: 2}},
            "Labels.remove": {"ids": [1]},
            "Labels.split": {
                "object_id": 1, "line": None, "seeds": [(0, 1, 1), (0, 5, 5)], "axis": "z", "index": 0, "depth": None,
            },
            "Labels.unlock": {"ids": [1]},
            "Labels.paint": {**STROKE, "value": 1},
            "Labels.paintable": {"given": 1},
            "Labels.prompt": {**POINTED, "by": "edges"},
            "Labels.grabcut": POINTED,
            "Labels.random_walker": POINTED,
            "Labels.scissors": {
                "axis": "z", "index": 1, "points": [(5, 5), (20, 30), (5, 30)], "value": 1, "channel": 0, "mode": "add",
            },
            "Labels.plane": {"axis": "z", "index": 1, "box": None, "step": 1},
            "Labels.polygon": {**SHAPE, "points": [(5, 5), (20, 30), (5, 30)], "value": 2},
            "Labels.read": {"region": None},
            "Labels.save": {"path": out / "s.tif", "overwrite": True},
            "Labels.threshold": {**STROKE, "value": 1, "low": 0, "high": 90, "channel": 0},
            "Labels.write": {
                "region": (slice(0, 2),), "array": 1, "mask": None, "tool": "write", "overwrite": True,
                "arguments": None,
            },
            "Channels.add": {
                "name": "new", "filter": "gaussian", "source": None, "other": None, "image": None, "low": None,
                "high": None, "sigma_um": 2.0,
            },
            "Channels.chain": {"image": None},
            "Channels.compute": {"names": None, "image": None},
            "Channels.facts": {"names": ["smooth"]},
            "Channels.get": {"key": "smooth", "default": None},
            "Channels.load": {"path": folder / "nowhere.json", "replace": False},
            "Channels.open": {"name": "smooth", "image": None},
            "Channels.remove": {"name": "nothing"},
            "Channels.rename": {"name": "smooth", "to": "other"},
            "Channels.save": {"path": out / "c.json", "names": None},
            "Run.log_tail": {"lines": 3},
            "Run.on_finished": {"fn": print},
            "Run.model": {"which": "better"},
            "Run.plot": {"path": out / "p.png"},
            "Run.report": {"path": out / "p.html"},
            "Run.resume": {"queue": True, "engine": None},
            "Run.to_csv": {"path": out / "p.csv"},
            "Run.update": {"trees": 3},
            "Run.wait": {"timeout": 0.01},
            "Prediction.stored": {"kind": "labels"},
            "Objects.export": {"path": out / "o.tif", "image": None, "number": None, "overwrite": True},
            "Objects.mesh": {"number": 1, "smooth_um": 0.0},
            "Objects.save_mesh": {"number": 1, "path": out / "o.ply", "smooth_um": 0.0},
            "Objects.save_table": {"path": out / "o.csv", "image": None, "measures": ()},
            "Objects.select": {"rule": "area_um2 > 0", "image": None},
            "Objects.measured": {"names": ("solidity",), "image": None},
            "Objects.cluster": {"n": 2, "method": "kmeans", "measures": None, "seed": 0},
            "Objects.classifier": {"examples": {"a": [1], "b": [2]}, "measures": None, "seed": 0},
            "Objects.classify": {"examples": {"a": [1], "b": [2]}, "measures": None, "seed": 0},
            "Objects.table": {"image": None, "measures": (), "workers": None},
            "PointAudit.answer": {"i": 1, "value": "disc"},
            "PointAudit.said": {"i": 0},
            "PointAudit.score": {"level": 0.9},
            "PointAudit.skip": {"i": 0},
            "FieldAudit.accept": {"i": 1},
            "FieldAudit.correct": {"i": 1, "labels": None},
            "FieldAudit.corrected": {"i": 0},
            "FieldAudit.draft": {"i": 0},
            "FieldAudit.fractions": {"level": 0.9},
            "FieldAudit.objects": {"name": "disc", "level": 0.9},
            "FieldAudit.predicted": {"i": 0},
            "FieldAudit.score": {"level": 0.9},
            "FieldAudit.skip": {"i": 0},
            "Model.open": {"device": "cpu", "precision": "float32", "threads": None},
            "Model.save": {"folder": out / "model"},
            "vl.author": {"name": "Ada"},
            "vl.load_model": {"folder": run.path / "model"},
            "vl.pull": {
                "source": folder / "no.zip", "to": None, "revision": None, "sha256": None, "offline": True,
                "limit_gb": 4.0, "quiet": True,
            },
            "vl.push": {
                "model": run, "to": "hf:", "licence": "", "authors": (), "description": "", "public": False,
                "samples": False, "message": "", "quiet": True,
            },
            "vl.from_napari": {"viewer": None, "path": out / "viewed", "zero": "unlabelled", "apart": False},
            "vl.open_volume": {"source": picture, **OPEN, "scale": 0, "chunks": "auto"},
            "vl.predict": {"model": model, "volume": ones, "turns": "none", "votes": "1", "match_spacing": True},
            "vl.evaluate": {"prediction": ones, "truth": ones},
            "vl.save_volume": {
                "array": ones, "path": out / "v.tif", "kind": None, "spacing": None, "overwrite": True, "chunks": None,
                "ngff": "0.5",
            },
            "vl.scales": {"volume": vl.open_volume(picture)},
            "vl.samples.load": {"name": "nothing", "seed": 0},
            "vl.presets.get": {"key": "auto", "default": None},
            "vl.inspect.training_inputs": {"workspace": ws, "config": DeepConfig(), "batch": 0},
            "vl.inspect.field_of_view": {"workspace": ws, "config": DeepConfig(), "at": None, "image": None},
            "vl.inspect.forecast": {"workspace": ws, "config": DeepConfig()},
            "vl.inspect.find_rate": {"workspace": ws, "config": DeepConfig(), "steps": 60},
            "vl.bioimageio.export_package": {"model": model, "path": out / "e.zip", "sample": None, "name": ""},
            "vl.bioimageio.import_package": {"source": folder / "no.zip", "folder": out / "imported"},
            "vl.objects.measure_objects": {"labels": ones, "image": None, "workers": None},
            "vl.objects.object_mesh": {"labels": ones, "number": 1, "region": None, "smooth_um": 0.0},
            "vl.objects.segment": {"probability": ones / 2, "config": ObjectsConfig(), "spacing_um": (1, 1, 1)},
            "vl.objects.label_components": {"source": ones, "path": out / "c.zarr", "overwrite": True, "min_size": 0},
            "vl.objects.find_objects": {
                "source": ones, "path": out / "f.zarr", "config": None, "overwrite": True, "region": None
            },
            "vl.objects.save_mesh": {
                "vertices": np.zeros((3, 3)), "faces": np.array([[0, 1, 2]]), "path": out / "m.ply"
            },
        }  # fmt: skip
        for name in ("Images", "Levels", "Sets", "Regions", "Runs", "Predictions", "Channels"):
            for verb in ("__getitem__", "__contains__"):
                self.table[f"{name}.{verb}"] = {"*": "nothing"}

    def call(self, verb: str, arguments: dict[str, Any]) -> None:
        """Do it; ``*`` is given by place."""
        owner, _, name = verb.rpartition(".")
        does = getattr(self.owners[owner], name)
        by_place = name == "get" or "*" in arguments
        made = does(*arguments.values()) if by_place else does(**arguments)
        if verb == "Model.open":
            with made:
                return
        if verb in ("Workspace.create", "Workspace.open"):
            made.close()

    def state(self) -> tuple[Any, ...]:
        """What must be as it was where a verb was refused."""
        ws = self.ws
        labels = [ws.labels(level, "image").sequence for level in ws.levels.painted]
        labels += [self.owners[name].sequence for name in (*MARKS, "Catalogue")]
        answers = (self.points.answered, self.fields.answered)
        parts = ("", "images", "runs", "predictions", "objects", "models", "audits", "removed")
        there = [sorted(p.name for p in (ws.path / part).glob("*") if p.name != "derived") for part in parts]
        return ws.store.document, labels, answers, there, sorted(p.name for p in self.folder.iterdir())

    def put_back(self, before: Any, runs: set[str]) -> None:
        """What a verb added goes again."""
        ws = self.ws
        for name in set(ws.images.names) - {info.name for info in before.images}:
            ws.images.remove(name)
        there = {level.folder for level in before.levels}
        for level in [level for level in ws.levels.values() if level.folder not in there]:
            ws.levels.remove(level.name)
        if ws.store.document != before:
            ws.store.change(
                **{part: getattr(before, part) for part in ("images", "levels", "regions", "sets", "channels", "tiles")}
            )
        for name in set(ws.runs) - runs:
            try:
                ws.runs[name].delete()
            except VoxloopError:
                raise AssertionError(f"run {name!r} that a bad value made cannot be deleted") from None
