"""Whole volumes through a model: exact tiles, bounded memory, resumable output. Numpy and dask; knows no learner.

A *tile* is what is written, recorded and, after a crash, repeated; a *block* is what the model sees at once. Untiled
means the volume in one block, mirrored past its far faces up to the next multiple of the stride; a tile in exact mode
equals that to float rounding. The order of tiles is a generator over the grid, so nothing grows with the volume but
one byte a tile.

``task.run`` is the task of a run, ``batch.run`` that of a run over many images. Both, the lazy ``predict`` and the
workers of a cluster take their model from ``resampled``, where images of another voxel size meet the size that the
model knows. What can be known without loading a model is checked before a run is made; time, memory and disk are
measured in a process of its own (``rehearsal``).

The folder of a prediction is an OME-NGFF image, its datasets those of the probabilities (uint8), with the labels
beside them. Coarser scales come last, then the objects that a network learned; both obey orders, tell progress and go
on where they were. A full disk ends a run so that it can be resumed. Tiles are written by the local pipeline
(``executor``) or by dask workers (``cluster``); the run's process alone records them, so a worker may die at any
moment.

Networks of instances give ``foreground``, ``boundary`` and ``distance`` as the three channels of their probabilities;
those with ``target="flow"`` give ``foreground`` and arrows along z, y and x (0 to 1 for -1 to 1). Labels are 1 where
foreground is at least a half, and ``Prediction.objects`` are what decoding made of them.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
