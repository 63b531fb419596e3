from .config import DeepConfig as DeepConfig
from .config import PredictConfig as PredictConfig
from .config import ShallowConfig as ShallowConfig
from .errors import VoxloopError as VoxloopError
from .machine import machine as machine
from .model import load_model as load_model
from .project import Workspace as Workspace
from .runs import Run as Run

__version__: str
