from voxloop.deep.begin.forecast import forecast as forecast
from voxloop.deep.begin.preview import field_of_view as field_of_view
from voxloop.deep.begin.preview import training_inputs as training_inputs
from voxloop.deep.begin.rate_finder import find_rate as find_rate
from voxloop.deep.pose.preview import place_fields as place_fields
from voxloop.deep.pose.preview import place_inputs as place_inputs
from voxloop.machine import machine as machine

__all__: list[str]
