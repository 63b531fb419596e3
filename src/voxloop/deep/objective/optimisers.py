"""The rule that turns gradients into steps, by name, and which weights it may move. Knows no data."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from voxloop.config.deep import DeepConfig
from voxloop.errors import ConfigError

#: one pass over the weights, a third of the time; the others are the same on every device
_FUSED = ("AdamW", "Adam", "SGD", "Adagrad")
#: share of the learning rate for an encoder that knows pictures already
_GENTLY = 0.1


def optimiser(config: DeepConfig, network: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of a config. Norms and biases are not pulled towards zero.

    Raises ConfigError where this torch does not have it.
    """
    kind = getattr(torch.optim, config.optimiser, None)
    if kind is None:
        raise ConfigError(f"optimiser {config.optimiser!r} is not in torch {torch.__version__}; use 'AdamW'")
    groups: list[dict[str, Any]] = []
    for parameters, share in _shares(config, network):
        for wide in (True, False):
            group: dict[str, Any] = {"params": [p for p in parameters if (p.ndim > 1) == wide], "share": share}
            if config.optimiser != "Rprop":  # looks at signs alone and knows no decay
                group["weight_decay"] = config.weight_decay if wide else 0.0
            groups.append(group)
    options: dict[str, Any] = {"fused": True} if _fuses(config, network) else {}
    if config.optimiser in ("SGD", "RMSprop"):
        options["momentum"] = config.momentum
    if config.optimiser == "SGD":
        options["nesterov"] = config.momentum > 0
    made: torch.optim.Optimizer = kind(groups, lr=config.learning_rate, **options)
    return made


def _fuses(config: DeepConfig, network: nn.Module) -> bool:
    """Whether the optimiser takes its step in one pass; on GPUs torch's Adagrad does so in newer releases alone."""
    on_gpu = any(parameter.device.type != "cpu" for parameter in network.parameters())
    return config.optimiser in _FUSED and not (on_gpu and config.optimiser == "Adagrad")


def follows_rate(config: DeepConfig) -> bool:
    """Whether a learning rate means anything to the optimiser of a config."""
    return config.optimiser != "Rprop"


def encoder_share(config: DeepConfig) -> float:
    """The learning rate of the encoder, as a share of that of the rest."""
    if config.encoder_rate is not None:
        return config.encoder_rate
    return _GENTLY if config.encoder_weights == "imagenet" and config.start_from is None else 1.0


def _shares(config: DeepConfig, network: nn.Module) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters that share a learning rate, and its share of the highest."""
    inside = [parameter for part in encoder_parts(network) for parameter in part.parameters()]
    share = encoder_share(config)
    if not inside or share == 1.0:
        return [(list(network.parameters()), 1.0)]
    known = {id(parameter) for parameter in inside}
    return [(inside, share), ([p for p in network.parameters() if id(p) not in known], 1.0)]


def encoder_parts(network: nn.Module) -> list[nn.Module]:
    """What of a network describes pictures: its encoder, of several networks that of each, none where it has none.

    Of a classifier of timm all layers but the last; parameters that lie in no layer count to the last.
    """
    if isinstance(network, nn.ModuleDict):
        return [part for one in network.values() for part in encoder_parts(one)]
    encoder = getattr(getattr(network, "core", network), "encoder", None)
    if isinstance(encoder, nn.Module):
        return [encoder]
    get_last: Any = getattr(network, "get_classifier", None)
    if get_last is None:
        return []
    last: set[nn.Module] = set(get_last().modules())
    return [part for part in network.children() if last.isdisjoint(part.modules())]


def hold_encoder(network: nn.Module, held: bool) -> None:
    """Keep the encoder as it is, its normalisation included, or let it learn; nothing happens where it already is so.

    Raises ConfigError for a network without an encoder.
    """
    parts = encoder_parts(network)
    if held and not parts:
        raise ConfigError("this architecture has no encoder to freeze; use freeze_encoder_epochs=0")
    for part in parts:
        first = next(part.parameters(), None)
        if part.training == held or (first is not None and first.requires_grad == held):
            part.requires_grad_(not held)
            part.train(not held)


def clip_gradient(network: nn.Module, most: float) -> None:
    """Scale the gradient down to a norm; on a CPU it is left alone where it is smaller already."""
    parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients or gradients[0].device.type != "cpu":  # to look would make it wait
        nn.utils.clip_grad_norm_(parameters, most)
        return
    norm = nn.utils.get_total_norm(gradients)
    if not norm <= most:
        nn.utils.clip_grads_with_norm_(parameters, most, norm)
