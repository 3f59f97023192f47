# SPDX-License-Identifier: Apache-2.0
"""CLIP and SigLIP losses of open_clip on 48 pairs of features: values and gradients, in f64."""

import open_clip.loss
import torch
import torch.nn.functional as F

from .values import Draw

ROWS, WIDTH = 48, 24


def _case(name: str, scale: float, bias: float | None) -> dict[str, torch.Tensor]:
    draw = Draw(7)
    inputs = {"image": draw.normal(ROWS, WIDTH)}
    # Pairs know of each other, as they do in training.
    inputs["text"] = (0.4 * inputs["image"] + draw.normal(ROWS, WIDTH)).to(torch.float32).to(torch.float64)
    inputs["logit_scale"] = torch.tensor(scale, dtype=torch.float64)
    if bias is not None:
        inputs["logit_bias"] = torch.tensor(bias, dtype=torch.float64)
    for value in inputs.values():
        value.requires_grad_()
    image, text = F.normalize(inputs["image"], dim=-1), F.normalize(inputs["text"], dim=-1)
    if bias is None:
        loss = open_clip.loss.ClipLoss()(image, text, inputs["logit_scale"].exp())
    else:
        loss = open_clip.loss.SigLipLoss()(image, text, inputs["logit_scale"].exp(), inputs["logit_bias"])
    loss.backward()
    tensors = {f"{name}.in.{key}": value.detach() for key, value in inputs.items()}
    tensors |= {f"{name}.grad.{key}": value.grad for key, value in inputs.items()}
    return tensors | {f"{name}.loss": loss.detach()}


def make() -> dict[str, torch.Tensor]:
    return _case("clip", 2.5, None) | _case("siglip", 2.25, -3.5)


def version() -> str:
    return open_clip.__version__
