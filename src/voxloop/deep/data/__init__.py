"""From images and labels to windows: splits, sampling, augmentation. Knows no network.

Which windows are drawn is a function of seed, step and sample (``sampling.WindowSampler``), and of the hard places
that ``sampling.Mining`` sets at the end of an epoch; what mining knows is in the checkpoint, and batches prepared
ahead are thrown away then, so that a resumed run draws the same. Augmentations are functions of seed and step alone.
Windows of planes are pixels (n, c, y, x) with labels (n, y, x); blocks are (n, c, z, y, x) with (n, z, y, x), all the
way through sampling, augmentation, loss, metrics and checkpoint. Instance numbers reach the network as codes
(``targets.code``, modulo 254): two touching objects whose numbers differ by a multiple of that look like one in a
window.
"""
