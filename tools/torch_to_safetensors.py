#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns PyTorch weights (.pt, .pth, .bin, .ckpt) into safetensors, which Strata reads.

    python tools/torch_to_safetensors.py epoch_20.pt                     open_clip, HLIP -> epoch_20.safetensors
    python tools/torch_to_safetensors.py mae_pretrain_vit_base.pth       a 2-D MAE
    python tools/torch_to_safetensors.py BiomedBERT/                     a Hugging Face folder -> BiomedBERT/model.safetensors
    python tools/torch_to_safetensors.py last.ckpt --key teacher --strip backbone. --drop head.

Nothing in the file is executed (weights_only=True). Of a training checkpoint the weights alone are taken: optimizer,
scaler and schedule are left out; numbers and short texts beside them (epoch, name) become metadata. A prefix "module."
that all names have is dropped. Types stay as they are.   pip install torch safetensors numpy
"""

import argparse
import json
import re
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

# Where trainings keep their weights, the likeliest first.
KEYS = ("state_dict", "model", "model_state_dict", "module", "net", "teacher", "student")
ENDINGS = (".pt", ".pth", ".bin", ".ckpt")
WRAPPER = "module."
LONGEST_TEXT = 200


def fail(what: str) -> None:
    sys.exit(f"torch_to_safetensors: {what}")


def load(path: Path):
    torch.serialization.add_safe_globals([argparse.Namespace])  # MAE keeps its arguments
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        fail(f"there is no {path}")
    except Exception as error:  # pickle's and torch's many
        blocked = re.search(r"unsupported GLOBAL (\S+)|Unsupported global: GLOBAL (\S+)", str(error))
        name = next(filter(None, blocked.groups())) if blocked else type(error).__name__
        fail(f"{path} holds more than weights, or is no PyTorch file ({name})")


def is_weights(value) -> bool:
    return isinstance(value, dict) and any(isinstance(tensor, torch.Tensor) for tensor in value.values())


def find_weights(content, key: str | None):
    """The dictionary of tensors, and what stands beside it."""
    if key is None and is_weights(content):
        return content, {}
    if not isinstance(content, dict):
        fail(f"the file holds a {type(content).__name__}, not a dictionary")
    names = (key,) if key else KEYS
    for name in names:
        if is_weights(content.get(name)):
            return content[name], {k: v for k, v in content.items() if k != name}
    fail(f"no weights under {', '.join(names)}; the file has {', '.join(map(str, content))}: name one with --key")


def notes(beside: dict) -> dict[str, str]:
    return {str(k): str(v) for k, v in beside.items()
            if isinstance(v, (bool, int, float, str)) and len(str(v)) <= LONGEST_TEXT}


def strip_all(weights: dict, prefix: str) -> dict:
    if prefix and weights and all(name.startswith(prefix) for name in weights):
        return {name[len(prefix):]: tensor for name, tensor in weights.items()}
    return weights


def chosen(weights: dict, only: list[str], drop: list[str], strip: str) -> dict:
    weights = {name: t for name, t in weights.items() if isinstance(t, torch.Tensor)}
    weights = strip_all(weights, WRAPPER)
    if only:
        weights = {name: t for name, t in weights.items() if name.startswith(tuple(only))}
    if drop:
        weights = {name: t for name, t in weights.items() if not name.startswith(tuple(drop))}
    if strip:
        weights = {name.removeprefix(strip): t for name, t in weights.items()}
    if not weights:
        fail("no tensor is left")
    return {name: t.detach().to_dense().contiguous().clone() for name, t in weights.items()}  # no shared storage


def sources(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    index = path / "pytorch_model.bin.index.json"
    if index.exists():
        return [path / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
    if (path / "pytorch_model.bin").exists():
        return [path / "pytorch_model.bin"]
    found = sorted(file for file in path.iterdir() if file.suffix in ENDINGS)
    if len(found) != 1:
        fail(f"{path} holds {len(found)} PyTorch files: name one")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="a PyTorch file, or a Hugging Face folder")
    parser.add_argument("--to", type=Path, help="default: beside the file; model.safetensors in a folder")
    parser.add_argument("--key", help="where the weights stand in a training checkpoint: state_dict, model, teacher")
    parser.add_argument("--only", action="append", default=[], metavar="PREFIX", help="take these tensors alone")
    parser.add_argument("--drop", action="append", default=[], metavar="PREFIX", help="leave these out")
    parser.add_argument("--strip", default="", metavar="PREFIX", help="take this off the names")
    options = parser.parse_args()
    to = options.to or (options.path / "model.safetensors" if options.path.is_dir()
                        else options.path.with_suffix(".safetensors"))
    weights, metadata = {}, {}
    for source in sources(options.path):
        found, beside = find_weights(load(source), options.key)
        weights |= found
        metadata |= notes(beside)
    weights = chosen(weights, options.only, options.drop, options.strip)
    partial = to.with_name(to.name + ".partial")
    save_file(weights, partial, metadata | {"format": "pt"})
    partial.replace(to)
    numbers = sum(tensor.numel() for tensor in weights.values())
    print(f"{to}: {len(weights)} tensors, {numbers / 1e6:.1f} M numbers; metadata {metadata or 'none'}")


if __name__ == "__main__":
    main()
