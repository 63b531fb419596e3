"""Runs: folders on disk, each with a process of its own, a log that only grows, and a control folder.

Imports no learner; a run names its task, and the process of the run loads it.

``config.json`` is frozen before the launch and is the only input: ``v``, ``name``, ``kind`` ("train", "predict",
"objects", "batch", "channels", "supervoxels", "places"), ``learner``, ``task`` ("package.module:function"), ``result``,
``device``, ``created``, ``settings``, and facts beside them (``labels``: {"level/image": edit}, ``parent``, ...).
``task(context)`` runs in ``python -m voxloop.runs RUN`` and returns the last word: ``finished``, ``stopped``,
``cancelled`` or ``paused``; what it raises becomes ``failed``. ``result(run_path)`` opens what came out. ``discard``
(optional) removes what lies outside of the run's folder when it is cancelled or deleted. ``then`` (optional) is called
when it has finished, starts another run and returns its name. Only voxloop, packages with an entry point in
``voxloop.learners`` and those in ``VOXLOOP_PLUGINS`` are called by name. A task's module may have ``warm()``: what it
would import on its first run, called ahead of time by a spare process.

States: ``created queued running paused stopping finished stopped cancelled failed interrupted``; the last means that
there is no last word and nobody holds the lock. Two runs never share a device: the second waits in a line that is
kept per machine and user (``VOXLOOP_QUEUE`` names another folder for it).
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
