"""A device that computes on the processor and says of itself that it is not one: it notes what a GPU would wait for.

Tensors "on" it are wrappers around tensors of the processor (torch's PrivateUse1 device); a mode that sees every
operator unwraps, computes and wraps again. What is recorded is what costs a real GPU time: numbers that are looked at
(``.item()``, ``bool()``, ``.cpu()``), copies that are waited for, operators whose result has a size that is not known
beforehand. Speed and kernels are not those of any GPU.

To be imported before the first gradient of a process is computed: torch counts its devices then, and never again.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "fakegpu"
_FIRST = f"{NAME}:0"
#: operators after which the processor must know a value of the device
_LOOKS = {
    "aten._local_scalar_dense.default",
    "aten.nonzero.default",
    "aten.masked_select.default",
    "aten.equal.default",
    "aten._unique2.default",
    "aten.unique_dim.default",
}
_AUTOCAST = ("conv2d", "conv3d", "conv_transpose2d.input", "conv_transpose3d.input", "linear", "prelu")


@dataclass(frozen=True)
class Wait:
    """What a GPU was waited for: the operator, in which thread, and the calls that led there, innermost last."""

    operator: str
    thread: str
    calls: tuple[str, ...]

    def within(self, *functions: str) -> bool:
        return any(call in functions for call in self.calls)


@dataclass
class Record:
    """All that was done on the device."""

    waits: list[Wait] = field(default_factory=list)
    copies: int = 0  # that travel while others compute
    pinned: int = 0
    formats: set[torch.dtype] = field(default_factory=set)  # of what convolutions were given
    odd_layouts: list[Any] = field(default_factory=list)  # shapes whose channels did not come last, and who gave them
    emptied: int = 0  # how often memory was given back
    random_states: list[str] = field(default_factory=list)

    def beyond(self, *stated: str) -> list[Wait]:
        """Waits outside of functions where they are stated."""
        return [wait for wait in self.waits if not wait.within(*stated)]


class _Runtime(_DummyBackendModule):
    """What torch asks such a device, and what voxloop does."""

    capability = (8, 0)
    record = Record()

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]

    def get_device_capability(self, _device: object = None) -> tuple[int, int]:
        return self.capability

    def mem_get_info(self, _device: object = None) -> tuple[int, int]:
        return 8 << 30, 16 << 30

    def memory_allocated(self, _device: object = None) -> int:
        return 0

    memory_reserved = max_memory_allocated = memory_allocated

    def reset_peak_memory_stats(self, _device: object = None) -> None:
        """Nothing is counted."""

    def synchronize(self, _device: object = None) -> None:
        """Everything is done already."""

    def empty_cache(self) -> None:
        self.record.emptied += 1

    def get_rng_state(self, device: object = None) -> torch.Tensor:
        self.record.random_states.append(f"saved of {device}")
        return torch.zeros(8, dtype=torch.uint8)

    def set_rng_state(self, _state: torch.Tensor, device: object = None) -> None:
        self.record.random_states.append(f"put back on {device}")


class _OnDevice(torch.Tensor):
    """A tensor of the device."""

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> _OnDevice:
        made = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=f"{NAME}:0",
        )
        made.raw = raw
        return made  # type: ignore[no-any-return]

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"on {NAME}: {self.raw}"

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(_runtime.record, func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    def __init__(self, record: Record) -> None:
        super().__init__()
        self._record = record

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(self._record, func, args, kwargs or {})


def _compute(record: Record, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = str(func)
    own = {id(leaf.raw): leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, _OnDevice)}
    on_device = bool(own)
    if name in ("aten._pin_memory.default", "aten.pin_memory.default"):
        record.pinned += 1
        return args[0]
    if name == "aten.is_pinned.default":
        return False
    named = kwargs.get("device")
    if named is not None:
        on_device = torch.device(named).type == NAME
        if on_device:
            kwargs = {**kwargs, "device": torch.device("cpu")}
    if own and name in _LOOKS:
        _note(record, name)
    elif name == "aten._to_copy.default" and _moves(named, own):
        # to the device: only what was asked not to wait does not; from it: a value is needed here
        if on_device and kwargs.get("non_blocking"):
            record.copies += 1
        else:
            _note(record, f"copy {'to' if on_device else 'from'} the device")
        kwargs = {**kwargs, "non_blocking": False}
    elif name == "aten.copy_.default" and isinstance(args[0], _OnDevice) != isinstance(args[1], _OnDevice):
        _note(record, "copy_ between devices")
    elif name in ("aten.index.Tensor", "aten.index_put_.default", "aten.index_put.default") and own:
        indices = [index for index in args[1] if index is not None]
        if any(index.dtype == torch.bool or not isinstance(index, _OnDevice) for index in indices):
            _note(record, f"{name} by a mask, or by places that must be sent first")
    if name == "aten.convolution.default" and own:
        record.formats.add(args[0].dtype)
        last = torch.channels_last if args[0].ndim == 4 else torch.channels_last_3d
        if not args[0].is_contiguous(memory_format=last):
            record.odd_layouts.append((tuple(args[0].shape), _calls()))

    def lower(leaf: Any) -> Any:
        return leaf.raw if isinstance(leaf, _OnDevice) else leaf

    def lift(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor) or isinstance(leaf, _OnDevice):
            return leaf
        return own.get(id(leaf)) if id(leaf) in own else _OnDevice(leaf)

    found = func(*tree_map(lower, args), **tree_map(lower, kwargs))
    return tree_map(lift, found) if on_device else found


def _moves(named: Any, own: Any) -> bool:
    """Whether a copy leaves the device, or comes there; shapes alone, on ``meta``, need no copy."""
    if named is None or torch.device(named).type == "meta":
        return False
    return (torch.device(named).type == NAME) != bool(own)


def _note(record: Record, operator: str) -> None:
    record.waits.append(Wait(operator, threading.current_thread().name, _calls()))


def _calls() -> tuple[str, ...]:
    """Functions of voxloop that are being called."""
    return tuple(frame.name for frame in traceback.extract_stack() if "/voxloop/" in frame.filename)


_runtime = _Runtime()


def _set_up() -> list[Any]:
    """Torch learns of the device, and how autocast treats its convolutions; what must be kept for that to last."""
    _setup_privateuseone_for_python_backend(NAME, backend_module=_runtime)
    everything = torch.library.Library("_", "IMPL")
    everything.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    casts = torch.library.Library("aten", "IMPL")
    for name in _AUTOCAST:
        packet, _, overload = name.partition(".")
        operator = getattr(getattr(torch.ops.aten, packet), overload or "default")
        casts.impl(name, _casting(operator), "AutocastPrivateUse1")
    return [everything, casts]


def _casting(operator: Any) -> Any:
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)

    def call(*args: Any, **kwargs: Any) -> Any:
        dtype = torch.get_autocast_dtype(NAME)

        def cast(leaf: Any) -> Any:
            fits = isinstance(leaf, torch.Tensor) and leaf.dtype == torch.float32
            return leaf.to(dtype) if fits else leaf

        with torch._C._ExcludeDispatchKeyGuard(keys):
            return operator(*tree_map(cast, args), **tree_map(cast, kwargs))

    return call


_kept = _set_up()


@contextmanager
def fake_gpu(capability: tuple[int, int] = (8, 0)) -> Iterator[Record]:
    """The device as long as the context lasts, and all that is done on it in this thread.

    ``capability`` is what it says of itself as NVIDIA's do: from (8, 0) on they have bfloat16, from (7, 0) float16.
    """
    record = _runtime.record = Record()
    _runtime.capability = capability
    generator, inference = torch.Generator, torch.inference_mode
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    there_is_none = {"__new__": lambda _cls, _device=None: generator()}  # of the device: those of the processor serve
    torch.Generator = type("Generator", (), there_is_none)  # type: ignore[misc, assignment]
    torch.inference_mode = torch.no_grad  # type: ignore[misc, assignment]  # in which operators would come whole
    # a module that is moved gets new parameters: old ones would keep what they wrap
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with _Mode(record):
            yield record
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
        torch.Generator, torch.inference_mode = generator, inference  # type: ignore[misc]
        torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def watched(record: Record) -> TorchDispatchMode:
    """A mode for another thread that works on the device: modes are seen by the thread that entered them alone."""
    return _Mode(record)


def current() -> Record:
    """What is being noted, or was last."""
    return _runtime.record
