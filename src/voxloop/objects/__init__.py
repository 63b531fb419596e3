"""From class probabilities to objects: labelling by the block, cutting, measuring. Numpy; knows no model and no run.

Every step names pieces block by block, keeps them in scratch (so that a run that dies goes on), joins those that
share a voxel (union-find over the graph of pieces), and is read by the next step as if it were a volume. An object is
owned by its first voxel along x, then y, then z, and objects are numbered by their owners, as ``scipy.ndimage.label``
does: numbers say nothing of blocks, order or workers.

Exact whatever the blocks: thresholds, smoothing (halo: three sigmas), holes, clumps, seeds, sizes, and walks along
the arrows of a network (``cutting.ByArrows``). The watershed of a block sees ``reach`` past its border: it is exact
for each clump that lies within that; objects of longer clumps are counted in ``Objects.unsure``. A clump without a
seed is one object.

What is stored is the region that was predicted; ``Objects.labels`` and the boxes of the table are those of the whole
image all the same. Sizes and places are in micrometres.

Examples
--------
>>> table = vl.objects.measure_objects(truth)
>>> table["voxels"].tolist()
[893, 893, 893, 893]
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
