# SPDX-License-Identifier: Apache-2.0
"""PyTorch's values and gradients, in double precision, for the ops that transformers need."""

import torch
import torch.nn.functional as F

from .values import Draw, gradients


def _record(tensors, case, function, inputs, cotangent, **constants):
    value, grads = gradients(lambda **leaves: function(**leaves, **constants), inputs, cotangent)
    tensors |= {f"{case}.in.{name}": tensor for name, tensor in (inputs | constants).items()}
    tensors |= {f"{case}.grad.{name}": tensor for name, tensor in grads.items()}
    tensors[f"{case}.in.cotangent"] = cotangent
    tensors[f"{case}.out"] = value


def _elementwise(tensors, draw):
    x = torch.linspace(-6, 6, 49, dtype=torch.float64)
    _record(tensors, "gelu", lambda x: F.gelu(x, approximate="none"), {"x": x}, draw.normal(49))
    x = draw.normal(5, 17, scale=2.0)
    _record(tensors, "softmax", lambda x: x.softmax(-1), {"x": x}, draw.normal(5, 17))
    x = draw.normal(4, 12)
    _record(tensors, "l2_normalize", lambda x: F.normalize(x, dim=-1, eps=1e-12), {"x": x}, draw.normal(4, 12))


def _layer_norm(tensors, draw):
    inputs = {"x": draw.normal(6, 24, scale=1.5), "weight": 1 + draw.normal(24, scale=0.3), "bias": draw.normal(24)}
    norm = lambda x, weight, bias: F.layer_norm(x, (24,), weight, bias, eps=1e-6)
    _record(tensors, "layer_norm", norm, inputs, draw.normal(6, 24))


def _products(tensors, draw):
    inputs = {"x": draw.normal(7, 10), "weight": draw.normal(5, 10), "bias": draw.normal(5)}
    _record(tensors, "linear", lambda x, weight, bias: F.linear(x, weight, bias), inputs, draw.normal(7, 5))

    def patches_last(x, weight, bias):
        return F.conv3d(x, weight, bias, stride=weight.shape[2:]).movedim(1, -1)

    inputs = {"x": draw.normal(2, 1, 4, 8, 8), "weight": draw.normal(12, 1, 2, 4, 4), "bias": draw.normal(12)}
    _record(tensors, "patch_embed", patches_last, inputs, draw.normal(2, 2, 2, 2, 12))
    index = draw.integers(0, 6, 9)
    lookup = lambda table, index: F.embedding(index, table)
    _record(tensors, "embedding", lookup, {"table": draw.normal(6, 8)}, draw.normal(9, 8), index=index)


def _losses(tensors, draw):
    inputs = {"logits": draw.normal(6, 11, scale=2.0)}
    loss = lambda logits, target: F.cross_entropy(logits, target).reshape(1)
    one = torch.ones(1, dtype=torch.float64)
    _record(tensors, "cross_entropy", loss, inputs, one, target=draw.integers(0, 11, 6))


def _attend(q, k, v, offsets_q, offsets_k):
    """Attention within each segment; tensors are [tokens, heads, head width]."""
    outputs = []
    for i in range(len(offsets_q) - 1):
        rows, columns = slice(offsets_q[i], offsets_q[i + 1]), slice(offsets_k[i], offsets_k[i + 1])
        heads_first = [t.transpose(0, 1) for t in (q[rows], k[columns], v[columns])]
        outputs.append(F.scaled_dot_product_attention(*heads_first).transpose(0, 1))
    return torch.cat(outputs)


def _log_sum_exp(q, k, offsets_q, offsets_k):
    """[heads, query tokens]: log of the softmax denominators of `_attend`."""
    parts = []
    for i in range(len(offsets_q) - 1):
        rows, columns = slice(offsets_q[i], offsets_q[i + 1]), slice(offsets_k[i], offsets_k[i + 1])
        scores = torch.einsum("qad,kad->aqk", q[rows], k[columns]) * q.shape[-1] ** -0.5
        parts.append(scores.logsumexp(-1))
    return torch.cat(parts, dim=-1)


def _attention(tensors, draw):
    offsets = {
        "attention": (torch.tensor([0, 7]), torch.tensor([0, 11])),
        "attention_segments": (torch.tensor([0, 3, 10, 11]), torch.tensor([0, 5, 12, 16])),
    }
    for case, (offsets_q, offsets_k) in offsets.items():
        queries, keys = int(offsets_q[-1]), int(offsets_k[-1])
        inputs = {"q": draw.normal(queries, 2, 8), "k": draw.normal(keys, 2, 8), "v": draw.normal(keys, 2, 8)}
        constants = {"offsets_q": offsets_q, "offsets_k": offsets_k}
        _record(tensors, case, _attend, inputs, draw.normal(queries, 2, 8), **constants)
        tensors[f"{case}.lse"] = _log_sum_exp(inputs["q"], inputs["k"], offsets_q, offsets_k)


def make() -> dict[str, torch.Tensor]:
    tensors, draw = {}, Draw(seed=20)
    for fill in (_elementwise, _layer_norm, _products, _losses, _attention):
        fill(tensors, draw)
    return tensors
