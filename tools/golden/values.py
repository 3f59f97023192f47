# SPDX-License-Identifier: Apache-2.0
"""Random inputs and the file format that all golden files share."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file


class Draw:
    """Normal numbers that single precision holds exactly, so that an f32 and an f64 test start from the same values."""

    def __init__(self, seed: int):
        self._generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> torch.Tensor:
        values = torch.randn(*shape, generator=self._generator, dtype=torch.float64) * scale
        return values.to(torch.float32).to(torch.float64)

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        return torch.randint(low, high, shape, generator=self._generator)


def gradients(function, inputs: dict[str, torch.Tensor], cotangent: torch.Tensor):
    """Value of `function(**inputs)` and the gradient of sum(value * cotangent) for every input."""
    leaves = {name: tensor.detach().clone().requires_grad_(True) for name, tensor in inputs.items()}
    value = function(**leaves)
    value.backward(cotangent)
    return value.detach(), {name: leaf.grad for name, leaf in leaves.items()}


def save(path: Path, tensors: dict[str, torch.Tensor], description: dict) -> None:
    """Writes tensors and a description. Its values become strings: safetensors knows no other metadata."""
    text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in description.items()}
    text["torch"] = torch.__version__
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=text)
    print(f"{path}: {len(tensors)} tensors, {path.stat().st_size} bytes")
