"""Runs: folders on disk, each with a process of its own, a log that only grows, and a control folder.

Imports no learner; a run names its task, and the process of the run loads it.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
