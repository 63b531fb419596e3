"""Spares a process what torch imports and nobody asked for: its compiler, and the algebra of random numbers on "meta".

torchvision, which timm needs, imports one function of the compiler, and every step of an optimiser asks the compiler to
look away. Both take a second of imports that only ``torch.compile``, or an export, makes use of. A stand-in answers
until something else of the compiler is wanted; then the true one takes its place. Should a torch to come want more,
it gets the true one at once, as without this.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

_COMPILER = "torch._dynamo"
_UTILITIES = f"{_COMPILER}.utils"


def postpone_compiler() -> None:
    """Have torch's compiler imported when it is used, where that is not done already."""
    if _COMPILER in sys.modules:
        return
    compiler = _StandIn(_COMPILER, graph_break=_look_away, disable=_disable)
    compiler.__path__ = []  # a package: its modules are asked for by name
    sys.modules[_COMPILER] = compiler
    sys.modules[_UTILITIES] = _StandIn(_UTILITIES, is_compile_supported=_is_compile_supported)
    sys.meta_path.insert(0, _Finder())


class _StandIn(ModuleType):
    """Has the few names that are asked for without compiling anything; for any other the true module comes."""

    def __init__(self, name: str, **known: Any) -> None:
        super().__init__(name)
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_true(self.__name__), name)


class _Finder(MetaPathFinder):
    """Lets the true compiler come where one of its modules is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(f"{_COMPILER}."):
            return None
        module = _true(name)
        return ModuleSpec(name, _Ready(module), is_package=hasattr(module, "__path__"))


class _Ready(Loader):
    """Gives a module that is imported by now, so that none is twice."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


def _true(name: str) -> ModuleType:
    """A module of the true compiler, which takes the place of the stand-in."""
    for other in (_COMPILER, _UTILITIES):
        if isinstance(sys.modules.get(other), _StandIn):
            del sys.modules[other]
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    importlib.import_module(_COMPILER)
    return importlib.import_module(name)


def _postponed() -> bool:
    return isinstance(sys.modules.get(_COMPILER), _StandIn)


def _look_away(*_: Any, **__: Any) -> None:
    """Nothing is being compiled."""


def _disable(fn: Any = None, *options: Any, **named: Any) -> Any:
    """``fn`` as it is while nothing is compiled; as the compiler makes it once there is one."""
    if fn is None:
        return functools.partial(_disable, **named)
    disabled: list[Callable[..., Any]] = []

    def call(*args: Any, **keywords: Any) -> Any:
        if _postponed():
            return fn(*args, **keywords)
        if not disabled:
            disabled.append(_true(_COMPILER).disable(fn, *options, **named))
        return disabled[0](*args, **keywords)

    return call


def _is_compile_supported(device: str) -> Any:
    return _true(_UTILITIES).is_compile_supported(device)


class Unfilled(TorchFunctionMode):
    """Draws no weights for tensors without memory, for which torch would import a computer algebra.

    segmentation-models-pytorch makes every encoder twice, once without memory to ask for its numbers of channels.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.normal_, Tensor.uniform_) or getattr(func, "__module__", "") == init.__name__:
            filled = args[0] if args else kwargs.get("tensor")
            if isinstance(filled, Tensor) and filled.is_meta:
                return filled
        return func(*args, **kwargs)
