# SPDX-License-Identifier: Apache-2.0
"""torch.nn.functional.interpolate on channels-last tables: values and input gradients."""

import torch
import torch.nn.functional as F

from .values import Draw, gradients

# case -> (mode, antialias, sizes in, sizes out, channels)
CASES = {
    "linear_down": ("linear", False, (8,), (5,), 3),
    "linear_up": ("linear", False, (4,), (6,), 3),
    "linear_from_one": ("linear", False, (1,), (3,), 3),
    "trilinear_up": ("trilinear", False, (2, 4, 4), (4, 6, 4), 2),
    "trilinear_down": ("trilinear", False, (3, 5, 4), (2, 3, 3), 2),
    "trilinear_mixed": ("trilinear", False, (6, 3, 5), (3, 7, 5), 2),
    "bicubic_down": ("bicubic", False, (5, 5), (3, 3), 2),
    "bicubic_up": ("bicubic", False, (5, 5), (8, 7), 2),
    "bicubic_mixed": ("bicubic", False, (5, 7), (9, 4), 2),
    "bicubic_kernel": ("bicubic", False, (16, 16), (12, 12), 1),
    "bicubic_antialias_down": ("bicubic", True, (7, 7), (3, 3), 2),
    "bicubic_antialias_up": ("bicubic", True, (5, 5), (8, 7), 2),
    "bicubic_antialias_mixed": ("bicubic", True, (5, 9), (9, 4), 2),
    "bicubic_antialias_table": ("bicubic", True, (14, 14), (9, 9), 1),
}


def _interpolate(table, size, mode, antialias):
    """[sizes..., C] -> [new sizes..., C]; PyTorch wants [1, C, sizes...]."""
    moved = table.movedim(-1, 0)[None]
    return F.interpolate(moved, size=size, mode=mode, align_corners=False, antialias=antialias)[0].movedim(0, -1)


def make() -> dict[str, torch.Tensor]:
    tensors, draw = {}, Draw(seed=22)
    for case, (mode, antialias, before, after, channels) in CASES.items():
        table, cotangent = draw.normal(*before, channels), draw.normal(*after, channels)
        resample = lambda table: _interpolate(table, after, mode, antialias)
        value, grads = gradients(resample, {"table": table}, cotangent)
        tensors |= {f"{case}.in": table.float(), f"{case}.cotangent": cotangent.float(), f"{case}.out64": value}
        value, grads32 = gradients(resample, {"table": table.float()}, cotangent.float())
        tensors |= {f"{case}.out": value, f"{case}.grad": grads32["table"], f"{case}.grad64": grads["table"]}
    return tensors
