from .context import RunContext as RunContext
from .events import EventReader as EventReader
from .events import EventWriter as EventWriter
from .folder import Runs as Runs
from .history import History as History
from .history import fold as fold
from .orders import Order as Order
from .run import Run as Run
