from voxloop.exchange.pulled import Pulled as Pulled
from voxloop.exchange.pulling import pull as pull
from voxloop.exchange.pushing import Pushed as Pushed
from voxloop.exchange.pushing import push as push

__all__: list[str]
