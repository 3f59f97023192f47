# SPDX-License-Identifier: Apache-2.0
"""Outputs and gradients of a small BertModel of Hugging Face's transformers with a projection, in double precision, on a padded and masked batch."""

import torch
import transformers

from .values import Draw

CONFIG = {"vocab_size": 40, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 96, "max_position_embeddings": 32,
          "type_vocab_size": 2}
JOINT_WIDTH = 20
LENGTHS = [9, 2, 32, 1, 17]


def _model(draw: Draw) -> transformers.BertModel:
    """Larger weights than training would start with, so that every op leaves its mark on the numbers."""
    model = transformers.BertModel(transformers.BertConfig(**CONFIG, attn_implementation="eager"), add_pooling_layer=False).double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = draw.normal(*parameter.shape)
            if "LayerNorm.weight" in name:
                parameter.copy_((1 + 0.1 * values).float())
            elif parameter.ndim == 1:
                parameter.copy_((0.1 * values).float())
            else:
                parameter.copy_((values / parameter.shape[1] ** 0.5).float())
    return model


def _pooled(model, projection, ids, mask, types, mean):
    hidden = model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
    weights = mask.double().unsqueeze(-1)
    pooled = (hidden * weights).sum(1) / weights.sum(1) if mean else hidden[:, 0]
    return pooled @ projection.T


def make() -> dict[str, torch.Tensor]:
    draw = Draw(31)
    model = _model(draw)
    projection = (draw.normal(JOINT_WIDTH, CONFIG["hidden_size"]) / CONFIG["hidden_size"] ** 0.5).float().double().requires_grad_(True)
    rows, longest = len(LENGTHS), max(LENGTHS)
    mask = torch.tensor([[1] * length + [0] * (longest - length) for length in LENGTHS])
    ids = draw.integers(1, CONFIG["vocab_size"], rows, longest) * mask  # 0 is the padding, which transformers gives no gradient
    types = draw.integers(0, 2, rows, longest) * mask
    cotangent = draw.normal(rows, JOINT_WIDTH)

    leaves = {f"bert.{name}": parameter for name, parameter in model.named_parameters()} | {"text_projection.weight": projection}
    tensors = {name: parameter.detach().float() for name, parameter in leaves.items()}
    tensors |= {"in.ids": ids[mask.bool()].int(), "in.types": types[mask.bool()].int(), "in.cotangent": cotangent.float(),
                "in.offsets": torch.tensor([0] + LENGTHS).cumsum(0)}
    for pooling in ("cls", "mean"):
        out = _pooled(model, projection, ids, mask, types, pooling == "mean")
        tensors[f"out.{pooling}"] = out.detach()
        for (name, _), gradient in zip(leaves.items(), torch.autograd.grad((out * cotangent).sum(), list(leaves.values()))):
            if pooling == "cls" or name.endswith(("word_embeddings.weight", "text_projection.weight")):
                tensors[f"grad.{pooling}.{name}"] = gradient
    return tensors


def describe() -> dict:
    return {"config": CONFIG | {"joint_width": JOINT_WIDTH}, "transformers": transformers.__version__}
