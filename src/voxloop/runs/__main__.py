"""``python -m voxloop.runs RUN``: run a run folder here and now; what the kernel, a terminal and a cluster start."""

import gc
import sys

gc.disable()  # until the task is imported: a fifth of that time would go into looking for garbage among modules

from voxloop.runs import runner, spare  # noqa: E402

if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(spare.main(arguments[1:]) if arguments[:1] == ["--spare"] else runner.main(arguments))
