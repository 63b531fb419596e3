from voxloop.deep.exchange.foreign import import_package as import_package
from voxloop.deep.exchange.package import Package as Package
from voxloop.deep.exchange.package import export_package as export_package

__all__: list[str]
