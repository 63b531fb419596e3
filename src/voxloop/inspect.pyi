from voxloop.deep.begin.forecast import forecast as forecast
from voxloop.deep.begin.preview import field_of_view as field_of_view
from voxloop.deep.begin.preview import training_inputs as training_inputs
from voxloop.deep.begin.rate_finder import find_rate as find_rate
from voxloop.machine import machine as machine

__all__: list[str]
