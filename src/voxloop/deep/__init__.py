"""Networks: training them and predicting with them. The only room that imports torch."""

import os

# OpenMP threads that wait spin by default. Where painting, panels and a browser use the same cores, the spinning takes
# the core from the very thread that is waited for (a step on two cores with four other processes: 2.2 s spinning,
# 0.4 s sleeping). Read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
