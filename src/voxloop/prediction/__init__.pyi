from .budget import PlannedForecast as PlannedForecast
from .budget import forecast as forecast
from .lazy import predict as predict
from .result import Prediction as Prediction
from .result import open_result as open_result
from .task import discard as discard
