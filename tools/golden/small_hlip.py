# SPDX-License-Identifier: Apache-2.0
"""200 AdamW steps of a small three-level HLIP encoder, all in double precision."""

import sys
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F

from .values import Draw

sys.path.append(str(Path(__file__).resolve().parents[2] / "perf" / "peer"))
from hlip_torch import Config, Hlip  # noqa: E402

STEPS = 200
BATCHES = 4  # step t takes batch t % BATCHES
STUDIES, SCANS = 2, 2
ADAMW = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-6}
WEIGHT_DECAY = 0.2
CONFIG = Config(img=(4, 16, 16), patch=(2, 4, 4), dim=24, heads=3, depth=3, max_num_scans=4,
                slice=(0,), scan=(1,), study=(2,), embedding_dim=16)


def _initial_weights(model: Hlip, draw: Draw) -> None:
    """Larger than training would start, so that every op of the model leaves its mark on the numbers."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = draw.normal(*parameter.shape)
            if ".norm" in name and name.endswith("weight"):
                parameter.copy_(1 + (0.1 * values).float())
            elif parameter.ndim == 1 or "cls_token" in name:
                parameter.copy_((0.1 * values).float())
            else:
                parameter.copy_((values / parameter[0].numel() ** 0.5).float())


def _data(draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
    """Voxels are multiples of 1/64 in [-2, 2]; targets have unit length."""
    voxels = draw.integers(-128, 129, BATCHES, STUDIES, SCANS, 1, *CONFIG.img) / 64
    targets = draw.normal(BATCHES, STUDIES, CONFIG.embedding_dim)
    return voxels.double(), F.normalize(targets, dim=-1).float().double()


def is_decayed(name: str, parameter: torch.Tensor) -> bool:
    return parameter.ndim >= 2 and "norm" not in name and "bias" not in name


def _optimizer(model: Hlip) -> torch.optim.Optimizer:
    decayed = [p for name, p in model.named_parameters() if is_decayed(name, p)]
    others = [p for name, p in model.named_parameters() if not is_decayed(name, p)]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, **ADAMW)


def embed_batch(model: Hlip, volume: torch.Tensor) -> torch.Tensor:
    return model(volume.flatten(0, 1), [SCANS] * STUDIES)


def loss_of(embedding: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean over studies of 1 - cos(embedding, target); both have unit length."""
    return (1 - (embedding * target).sum(-1)).mean()


def train(model: Hlip, volumes: torch.Tensor, targets: torch.Tensor, steps: int = STEPS):
    """The losses before each step; first embedding and gradients besides."""
    optimizer, losses, first = _optimizer(model), [], {}
    for step in range(steps):
        batch = step % BATCHES
        embedding = embed_batch(model, volumes[batch])
        loss = loss_of(embedding, targets[batch])
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.detach())
        if step == 0:
            first = {f"grad.{name}": p.grad.clone() for name, p in model.named_parameters()}
            first["out.embedding"] = embedding.detach().clone()
        optimizer.step()
    return torch.stack(losses), first


def start() -> tuple[Hlip, torch.Tensor, torch.Tensor]:
    draw = Draw(seed=23)
    model = Hlip(CONFIG).double()
    _initial_weights(model, draw)
    return model, *_data(draw)


def make() -> dict[str, torch.Tensor]:
    model, volumes, targets = start()
    tensors = {name: value.clone() for name, value in model.state_dict().items()}
    losses, first = train(model, volumes, targets)
    final = torch.cat([embed_batch(model, volume).detach()[None] for volume in volumes])
    return tensors | first | {"in.volume": volumes.flatten(1, 2), "in.target": targets, "out.losses": losses, "out.final_embedding": final}


def describe(tensors: dict[str, torch.Tensor]) -> dict:
    config = {key: value for key, value in asdict(CONFIG).items() if value != () and key not in ("embedding_dim", "head")}
    optimizer = {"name": "adamw", **ADAMW, "weight_decay": WEIGHT_DECAY,
                 "decayed": "two dimensions or more, not a bias or a norm; cls_token is decayed"}
    return {"config": config, "batch": str(STUDIES), "scans": str(SCANS), "embedding_dim": str(CONFIG.embedding_dim),
            "steps": str(STEPS), "batches": "step t takes in.volume[t % 4] and in.target[t % 4]", "optimizer": optimizer,
            "objective": "mean over studies of 1 - embedding . target", "loss": str(float(tensors["out.losses"][0]))}
