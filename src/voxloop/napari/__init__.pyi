from voxloop.napari.keeping import keep_labels as keep_labels
from voxloop.napari.reading import get_reader as get_reader
from voxloop.napari.reading import workspace_layers as workspace_layers
from voxloop.napari.taking import from_napari as from_napari

__all__: list[str]
