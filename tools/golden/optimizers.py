# SPDX-License-Identifier: Apache-2.0
"""Ten steps of each optimizer on three small parameters with given gradients, and the published schedules."""

import math

import timm.optim
import torch

from .values import Draw

STEPS = 10
SHAPES = {"matrix": (3, 4), "bias": (4,), "kernel": (2, 3, 2)}  # `bias` is never decayed
ADAM = {"lr": 1e-2, "betas": (0.9, 0.95), "eps": 1e-6}

# name -> (class, its settings, decay of the parameters that are decayed)
OPTIMIZERS = {
    "adamw": (torch.optim.AdamW, ADAM, 0.2),
    "adamw_scheduled": (torch.optim.AdamW, ADAM, 0.2),
    "adam": (torch.optim.Adam, ADAM, 0.0),
    "sgd": (torch.optim.SGD, {"lr": 1e-2}, 0.0),
    "sgd_momentum": (torch.optim.SGD, {"lr": 1e-2, "momentum": 0.9}, 0.0),
    "sgd_nesterov": (torch.optim.SGD, {"lr": 1e-2, "momentum": 0.9, "nesterov": True}, 0.0),
    "sgd_momentum_l2": (torch.optim.SGD, {"lr": 1e-2, "momentum": 0.9}, 0.1),
    "lion": (timm.optim.Lion, {"lr": 1e-3, "betas": (0.9, 0.99)}, 0.2),
    "lamb": (timm.optim.Lamb, {**ADAM, "max_grad_norm": None}, 0.05),
    "lamb_clipped": (timm.optim.Lamb, {**ADAM, "max_grad_norm": 1.0}, 0.05),
    "lamb_always_adapt": (timm.optim.Lamb, {**ADAM, "max_grad_norm": None, "always_adapt": True}, 0.05),
}


def warm_up_cosine(step, peak, warm_up, total, end=0.0, first_is_zero=False):
    """Both published warm-ups: peak * (step + 1) / warm_up (OpenCLIP, HLIP) or peak * step / warm_up (HeadCT)."""
    if step < warm_up:
        return peak * (step + (0 if first_is_zero else 1)) / warm_up
    progress = (step - warm_up) / (total - warm_up)
    return end + (peak - end) * 0.5 * (1 + math.cos(math.pi * progress))


def constant_with_cool_down(step, peak, warm_up, total, cool_down, power=1.0, end=0.0):
    """OpenCLIP's const-cooldown: warm up, hold, then (1 - progress)^power down to `end`."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    start = total - cool_down
    if step < start:
        return peak
    return end + (peak - end) * (1 - (step - start) / cool_down) ** power


def _schedules() -> dict[str, torch.Tensor]:
    curves = {
        "warm_up_cosine": lambda s: warm_up_cosine(s, 5e-4, 7, 40),
        "warm_up_cosine_from_zero": lambda s: warm_up_cosine(s, 5e-4, 4, 40, end=5e-7, first_is_zero=True),
        "constant": lambda s: constant_with_cool_down(s, 5e-4, 7, 40, cool_down=0),
        "cool_down_linear": lambda s: constant_with_cool_down(s, 5e-4, 7, 40, cool_down=10),
        "cool_down_quadratic": lambda s: constant_with_cool_down(s, 5e-4, 7, 40, 10, power=2.0, end=1e-5),
        # Weight decay 0.04 -> 0.4 and teacher momentum 0.994 -> 1 rise by the same cosine without warm-up.
        "cosine_rise": lambda s: warm_up_cosine(s, 0.04, 0, 40, end=0.4),
    }
    return {f"schedule.{name}": torch.tensor([curve(s) for s in range(40)], dtype=torch.float64)
            for name, curve in curves.items()}


def _run(name, start, grads, learning_rates):
    kind, settings, decay = OPTIMIZERS[name]
    parameters = {key: torch.nn.Parameter(value.clone()) for key, value in start.items()}
    decayed = [p for key, p in parameters.items() if key != "bias"]
    groups = [{"params": decayed, "weight_decay": decay}, {"params": [parameters["bias"]], "weight_decay": 0.0}]
    optimizer = kind(groups, **settings)
    path = {key: [] for key in parameters}
    for step in range(STEPS):
        for key, parameter in parameters.items():
            parameter.grad = grads[key][step].clone()
        if name == "adamw_scheduled":
            for group in optimizer.param_groups:
                group["lr"] = float(learning_rates[step])
        optimizer.step()
        for key, parameter in parameters.items():
            path[key].append(parameter.detach().clone())
    return {key: torch.stack(values) for key, values in path.items()}


def _clipping(tensors, grads):
    """torch.nn.utils.clip_grad_norm_ scales by min(1, limit / (norm + 1e-6))."""
    parameters = {key: torch.nn.Parameter(torch.zeros_like(value[0])) for key, value in grads.items()}
    for key, parameter in parameters.items():
        parameter.grad = grads[key][0].clone()
    tensors["clip.norm"] = torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0).reshape(1)
    tensors |= {f"clip.out.{key}": parameter.grad for key, parameter in parameters.items()}


def make() -> dict[str, torch.Tensor]:
    draw = Draw(seed=21)
    start = {key: draw.normal(*shape) for key, shape in SHAPES.items()}
    grads = {key: draw.normal(STEPS, *shape) for key, shape in SHAPES.items()}
    learning_rates = torch.tensor([warm_up_cosine(s, ADAM["lr"], 3, STEPS) for s in range(STEPS)], dtype=torch.float64)
    tensors = {f"optim.start.{key}": value for key, value in start.items()}
    tensors |= {f"optim.grad.{key}": value for key, value in grads.items()}
    tensors["optim.adamw_scheduled.lr"] = learning_rates
    for name in OPTIMIZERS:
        tensors |= {f"optim.{name}.{key}": value for key, value in _run(name, start, grads, learning_rates).items()}
    _clipping(tensors, grads)
    return tensors | _schedules()
