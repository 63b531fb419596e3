"""The workspace on disk: images, label levels, label arrays and their journals. Knows no learner and no widget."""

from voxloop.store.classes import LabelClass as LabelClass
from voxloop.store.classes import Level as Level
from voxloop.store.document import ImageInfo as ImageInfo
from voxloop.store.document import NamedRegion as NamedRegion
from voxloop.store.document import SetRow as SetRow
from voxloop.store.document import TrainingSet as TrainingSet
from voxloop.store.drawing import Edit as Edit
from voxloop.store.labels import Labels as Labels
from voxloop.store.labels import Touched as Touched
from voxloop.store.workspace import Store as Store
from voxloop.store.workspace import open_labels as open_labels
