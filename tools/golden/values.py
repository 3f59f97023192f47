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


def _sort_metadata(path: Path) -> None:
    """save_file writes metadata in random order; a file made anew should have the same bytes."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:end])
    entries["__metadata__"] = dict(sorted(entries["__metadata__"].items()))
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the data stay aligned
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[end:])


def save(path: Path, tensors: dict[str, torch.Tensor], description: dict) -> None:
    """Writes tensors and a description. Its values become strings: safetensors knows no other metadata."""
    text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in description.items()}
    text["torch"] = torch.__version__
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=text)
    _sort_metadata(path)
    path.chmod(0o644)
    print(f"{path}: {len(tensors)} tensors, {path.stat().st_size} bytes")
