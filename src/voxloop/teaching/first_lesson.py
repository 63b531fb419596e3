"""The first lesson: seven exercises, once round the loop and a half. Every check compares with the hidden truth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError, WorkspaceError
from voxloop.teaching.exercise import Exercise, Reply

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review import Report
    from voxloop.teaching.workshop import Workshop

#: value of the class that questions are about, as the sample has it
_MITO = 2
#: pixels of a plane from which a piece counts as one that is seen
_SEEN = 30
#: of the strokes' voxels that must be right, planes that must hold some, and mean IoU that a first prediction reaches
_RIGHT, _PLANES, _FIRST = 0.9, 3, 0.35
_WIDEST, _BETTER, _SHARE_OFF = 0.4, 0.02, 0.25


def _number(answer: Any) -> float:
    try:
        value = float(answer)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise WorkspaceError(f"the answer is to be a number, not {answer!r}")
    return value


def _size(shop: Workshop, answer: Any) -> Reply:
    given = _number(answer)
    width, step = shop.truth.shape[2], float(shop.ws.images.info(shop.ws.images.one(None)).spacing_um[2])
    if abs(given - width * step) <= 0.05 * width * step:
        return Reply(right=True, words="that is how wide it is.")
    for other, what in ((width, "voxels"), (width * step * 1000, "nanometres"), (step, "one voxel, in micrometres")):
        if math.isclose(given, other, rel_tol=0.02):
            return Reply(right=False, words=f"{given:g} is {what}; the whole width is asked for, in micrometres.")
    return Reply(right=False, words=f"{given:g} µm is not its width.")


def _count(shop: Workshop, answer: Any) -> Reply:
    import cc3d

    given = _number(answer)
    plane = shop.truth[shop.truth.shape[0] // 2] == _MITO
    sizes = np.bincount(cc3d.connected_components(plane, connectivity=8).ravel())[1:]
    found = int((sizes >= _SEEN).sum())
    if abs(given - found) <= 1:
        return Reply(right=True, words=f"{found}, give or take one that only just begins.")
    return Reply(right=False, words=f"there are {'fewer' if given > found else 'more'} than {given:g}.")


def _paint(shop: Workshop, answer: Any) -> Reply:
    labels = shop.ws.labels()
    said = labels.read()
    painted = said > 0
    names = {one.value: one.name for one in labels.level.classes}
    missing = [name for value, name in names.items() if not (said == value).any()]
    if missing:
        return Reply(right=False, words=f"nothing is painted as {', '.join(missing)}.")
    planes = int(painted.any(axis=(1, 2)).sum())
    if planes < _PLANES:
        return Reply(right=False, words=f"all strokes lie in {planes} plane(s); paint in {_PLANES} or more.")
    wrong = painted & (said != shop.truth)
    share = 1 - wrong.sum() / painted.sum()
    if share >= _RIGHT:
        return Reply(right=True, words=f"{share:.0%} of what you painted is what you said it is.")
    at = int(wrong.sum(axis=(1, 2)).argmax())
    value = max(names, key=lambda one: int((wrong[at] & (said[at] == one)).sum()))
    really = np.bincount(shop.truth[at][wrong[at] & (said[at] == value)], minlength=max(names) + 1)
    return Reply(
        right=False,
        words=f"{share:.0%} of what you painted is right, {_RIGHT:.0%} is asked for; most is wrong in plane {at}.",
        hint=f"in plane {at} something painted as {names[value]} is {names[int(really.argmax())]}; "
        "undo it, or paint over it with a thinner brush.",
    )


def _newest(shop: Workshop) -> Prediction:
    for name in reversed(list(shop.ws.predictions)):
        prediction = shop.ws.predictions[name]
        if prediction.box.shape == shop.truth.shape and prediction.done == 1:
            return prediction
    raise PredictionError("there is no finished prediction of the whole stack yet")


def _judged(shop: Workshop, prediction: Any) -> Report:
    from voxloop.review import evaluate

    return evaluate(prediction, shop.truth, exclude=shop.ws.labels())


def _worst(report: Report) -> str:
    known = {name: iou for name, iou in report.iou_per_class.items() if math.isfinite(iou) and name != "background"}
    name = min(known, key=lambda one: known[one])
    missed = report.recall_per_class[name] < report.precision_per_class[name]
    return f"most is wrong with {name}: {'much of it is missed' if missed else 'too much is called so'}."


def _predict(shop: Workshop, answer: Any) -> Reply:
    prediction = _newest(shop)
    report = _judged(shop, prediction)
    if report.iou < _FIRST:
        return Reply(
            right=False,
            words="the prediction is there, and still far off: " + _worst(report),
            hint="a dozen more strokes, on both sides of borders; then train and predict again.",
        )
    return Reply(
        right=True, words=f"{prediction.name} stands. How good it is comes next.", noted={"prediction": prediction.name}
    )


def _believe(shop: Workshop, answer: Any) -> Reply:
    name = shop.noted(4).get("prediction")
    if not isinstance(name, str) or name not in shop.ws.predictions:
        raise WorkspaceError("exercise 4 comes first: its prediction is what this one is about")
    if not isinstance(answer, list | tuple) or len(answer) != 2:
        raise WorkspaceError("the answer is to be two numbers, (low, high)")
    low, high = sorted(map(_number, answer))
    if high - low > _WIDEST + 1e-9:
        return Reply(right=False, words=f"from {low:g} to {high:g} holds nearly everything; {_WIDEST:g} is the widest.")
    iou = _judged(shop, shop.ws.predictions[name]).iou
    if low <= iou <= high:
        said = shop.ws.score(name)
        return Reply(right=True, words=f"the true IoU is {iou:.2f}. What was known without the truth: {said.words}.")
    return Reply(right=False, words=f"the true IoU is {'higher' if iou > high else 'lower'}.")


def _correct(shop: Workshop, answer: Any) -> Reply:
    first = shop.noted(4).get("prediction")
    newest = _newest(shop)
    if not isinstance(first, str) or first not in shop.ws.predictions:
        raise WorkspaceError("exercise 4 comes first: this one is about a better prediction than that")
    if newest.name == first:
        return Reply(right=False, words=f"{first} is still the newest prediction.")
    before, report = _judged(shop, shop.ws.predictions[first]), _judged(shop, newest)
    if report.iou >= before.iou + _BETTER:
        return Reply(right=True, words=f"IoU {before.iou:.2f} became {report.iou:.2f}.")
    wrong = (np.asarray(newest.labels) != shop.truth).sum(axis=(1, 2))
    return Reply(
        right=False,
        words=f"IoU was {before.iou:.2f} and is {report.iou:.2f}; {_BETTER:g} more is asked for.",
        hint=f"plane {int(wrong.argmax())} holds the most mistakes; {_worst(report)}",
    )


def _measure(shop: Workshop, answer: Any) -> Reply:
    given = _number(answer)
    share = float((shop.truth == _MITO).mean()) * 100
    if abs(given - share) <= _SHARE_OFF * share:
        return Reply(right=True, words=f"the truth is {share:.1f} %; yours is {given / share - 1:+.0%} off.")
    if math.isclose(given, share / 100, rel_tol=_SHARE_OFF):
        return Reply(right=False, words=f"{given:.3g} is a share; per cent are asked for.")
    return Reply(right=False, words=f"{given:.3g} % is {'too much' if given > share else 'too little'}.")


EXERCISES = (
    Exercise(
        name="size",
        question="How wide is the picture (along x), in micrometres?",
        check=_size,
        hints=(
            "The scale bar knows; so does the step Volume.",
            "It is the number of voxels along x times the size of one.",
            "volume = lesson.ws.images.open(); its shape and volume.attrs['spacing_um'] are what you need.",
        ),
    ),
    Exercise(
        name="count",
        question="How many mitochondria does the plane in the middle of the stack cut? One more or less is right, too.",
        check=_count,
        hints=(
            "Mitochondria are grey with stripes inside and a dark rim; dark bodies without stripes are none.",
            "Go to plane number depth / 2, and look at the planes before and after where you are in doubt.",
            "Fit the whole plane on screen (key 0), begin at the top left, and count along rows.",
        ),
    ),
    Exercise(
        name="paint",
        question="Paint all three classes, in three planes or more, so that nine tenths of it is right.",
        check=_paint,
        hints=(
            "Keys 1, 2, 3 choose the class; the wheel goes through the planes.",
            "Short strokes well inside of things are rarely wrong.",
            "lesson.assist() paints for you.",
        ),
    ),
    Exercise(
        name="predict",
        question="Train the shallow learner on your strokes and predict the whole stack.",
        check=_predict,
        hints=(
            "Step Train, then Predict; or the two cells above.",
            "The prediction must be finished: the step Predict says so.",
            "run = lesson.ws.train(vl.ShallowConfig()); await run; await lesson.ws.predict(run)",
        ),
    ),
    Exercise(
        name="believe",
        question="How good is that? Give an interval (low, high), no wider than 0.4, that holds its true IoU.",
        check=_believe,
        hints=(
            "IoU is 1 where all is right. Look at the picture: how much of what you see is wrong?",
            "Review says what can be known without the truth, as an interval: lesson.ws.score(prediction).words",
            "Where that interval is wide, a dozen corrections make it narrower; or move your last answer up or down.",
        ),
    ),
    Exercise(
        name="correct",
        question="Correct it where it is wrong, train and predict again: IoU must rise by 0.02.",
        check=_correct,
        hints=(
            "Correct, train, predict: the new prediction is compared with the first one.",
            "Review jumps to places worth a correction (key N); strokes elsewhere teach less.",
            "lesson.assist(prediction=prediction) corrects for you.",
        ),
    ),
    Exercise(
        name="measure",
        question="What share of the volume is mitochondria, in per cent?",
        check=_measure,
        hints=(
            "Count voxels of that class in your best prediction, and divide by all.",
            "(prediction.labels == 2).mean() is a share, to be computed with .compute() and taken times 100.",
            "Is your prediction still off? Correct mitochondria, and predict again.",
        ),
    ),
)
