from .config import DeepConfig as DeepConfig
from .config import PredictConfig as PredictConfig
from .config import ShallowConfig as ShallowConfig
from .config import presets as presets
from .deep.model import TorchModel as TorchModel
from .errors import VoxloopError as VoxloopError
from .machine import machine as machine
from .model import load_model as load_model
from .panels.train_panel import TrainPanel as TrainPanel
from .panels.volume_panel import VolumePanel as VolumePanel
from .panels.workbench import Workbench as Workbench
from .prediction import Prediction as Prediction
from .prediction import predict as predict
from .project import Workspace as Workspace
from .review import Report as Report
from .review import Suggestion as Suggestion
from .review import evaluate as evaluate
from .review import simulate as simulate
from .runs import Run as Run
from .store import LabelClass as LabelClass
from .store import open_labels as open_labels
from .volumes import open_volume as open_volume
from .volumes import samples as samples
from .volumes import save_volume as save_volume
from .volumes import scales as scales

__version__: str
