#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds hlip_torch.py against recorded runs of the published encoder.

    python perf/peer/check_published.py FOLDER    every hlip_*.safetensors in FOLDER; fails beyond 2e-5 relative
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors import safe_open

from hlip_torch import Config, Hlip, from_mae_2d

LIMIT = 2e-5
LIST_FIELDS = ("img", "patch", "slice", "scan", "study")


def read(path):
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def read_config(metadata) -> Config:
    fields = json.loads(metadata["config"])
    fields |= {name: tuple(fields[name]) for name in LIST_FIELDS if name in fields}
    if "embedding_dim" in metadata:
        fields["embedding_dim"] = int(metadata["embedding_dim"])
    return Config(**fields, head="dinotxt_dual" if metadata.get("head") == "dinotxt_dual" else "cls")


def difference(name, mine, golden) -> float:
    # The key rows of the qkv bias have a true gradient of zero: both sides hold rounding noise there.
    if name.startswith("grad.") and name.endswith("qkv.bias"):
        keys = slice(len(golden) // 3, 2 * len(golden) // 3)
        noise = float((mine[keys] - golden[keys]).abs().max())
        rest = [torch.cat([t[: keys.start], t[keys.stop:]]) for t in (mine, golden)]
        return max(noise, float((rest[0] - rest[1]).norm() / rest[1].norm()))
    return float((mine - golden).norm() / golden.norm())


def run_studies(golden, metadata):
    """Everything a golden file holds about a run, by its tensor names; ragged studies run as one packed batch."""
    model = Hlip(read_config(metadata))
    model.load_state_dict({name: value for name, value in golden.items() if name.startswith("visual.")})
    packed = "in.volume" not in golden
    volumes = [golden["in.volume.0"], golden["in.volume.1"]] if packed else [golden["in.volume"]]
    studies = [volume.shape[1] for volume in volumes for _ in volume]
    positions = golden["in.scan_positions"].repeat(len(studies)) if "in.scan_positions" in golden else None
    trace = []
    scans = torch.cat([volume.flatten(0, 1) for volume in volumes])
    tokens = model.visual.trunk(scans, studies, positions, trace=trace)
    feature = torch.cat([model.visual.head(t) for t in tokens])
    embedding = torch.nn.functional.normalize(feature, dim=-1)
    cotangent = torch.cat([golden["in.cotangent.0"], golden["in.cotangent.1"]]) if packed else golden["in.cotangent"]
    (embedding * cotangent).sum().backward()
    mine = {f"grad.{name}": parameter.grad for name, parameter in model.named_parameters()}
    if packed:
        for i, own in enumerate(tokens):
            mine |= {f"out.tokens.{i}": own, f"out.embedding.{i}": embedding[i:i + 1]}
        return mine
    mine |= {f"out.block.{i}": x[0] for i, x in enumerate(trace)}
    return mine | {"out.tokens": tokens[0], "out.cls": tokens[0][:, 0], "out.feature": feature, "out.embedding": embedding}


def run_init(golden, metadata):
    weights = {name[3:]: value for name, value in golden.items() if name.startswith("in.")}
    return {f"out.{name}": value for name, value in from_mae_2d(weights, read_config(metadata)).items()}


def table_differences(golden, metadata):
    """The trunk builds its own sin-cos tables; they must be the stored ones."""
    trunk = Hlip(read_config(metadata)).visual.trunk
    return {f"table {name}": float((table - golden[f"visual.trunk.{name}"]).abs().max())
            for name, table in trunk.named_buffers() if f"visual.trunk.{name}" in golden}


def check(path) -> float:
    golden, metadata = read(path)
    is_init = "in.pos_embed" in golden
    mine = run_init(golden, metadata) if is_init else run_studies(golden, metadata)
    wanted = [name for name in golden if name.startswith(("out.", "grad."))]
    missing = [name for name in wanted if name not in mine]
    if missing:
        raise SystemExit(f"{path.name}: nothing to compare with {missing}")
    differences = {name: difference(name, mine[name].detach(), golden[name]) for name in wanted}
    differences |= {} if is_init else table_differences(golden, metadata)
    worst = max(differences, key=differences.get)
    print(f"{path.name:44} {len(differences):4} tensors, worst {differences[worst]:.1e} ({worst})")
    return differences[worst]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    paths = sorted(parser.parse_args().folder.glob("hlip_*.safetensors"))
    if not paths:
        raise SystemExit("no hlip_*.safetensors there")
    if max(check(path) for path in paths) > LIMIT:
        raise SystemExit(f"beyond {LIMIT}")


if __name__ == "__main__":
    main()
