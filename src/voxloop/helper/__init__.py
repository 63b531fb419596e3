"""The resident process for small answers (overlays, live training, previews) and its client. Knows no widget.

``Helper(workspace_path)`` is a child process over pipes; planes travel through shared memory. ``request(kind, ...)``
gives an ``Answer``: ``result(timeout)``, ``await``, or ``async for part in answer.parts()``; the last answer is a
dict whose ``state`` is ``"done"`` or ``"dropped"``. The newest generation of a lane wins; ``live`` and ``overlay``
share a lane.

Kinds: ``live`` (image, level, view, config, sequence), ``overlay`` (image, model, view), ``first`` (image,
models, settings, view: as a prediction will say it), ``objects`` (prediction, of, settings, view), ``point`` (image,
level, axis, index, hints: the mask of what was pointed at), ``inputs``, ``receptive_field``, ``rate`` and
``forecast`` (of a deep training before it begins: config), ``place_inputs`` and ``place_field`` (of a training of
points or boxes: learner, config), ``encoders`` (architecture), ``forget``; plugins add kinds as entry points
``voxloop.helpers``. A ``view`` is ``{"axis", "index", "box": [[row, row], [column, column]], "step", "focus":
[row, column]}``, voxels in zyx order.
"""

from voxloop.helper.client import Answer as Answer
from voxloop.helper.client import AnswerPart as AnswerPart
from voxloop.helper.client import Helper as Helper
