from .fields import Field as Field
from .finding import find_objects as find_objects
from .finding import label_components as label_components
from .result import Objects as Objects
from .segmenting import decode_instances as decode_instances
from .segmenting import preview as preview
from .segmenting import segment as segment
