# SPDX-License-Identifier: Apache-2.0
"""The HLIP visual encoder in plain PyTorch: the peer that Strata's numbers and times are compared with.

Scans are packed [S, 1, D, H, W]; `studies` says how many of them belong to each study, so studies may differ in size.
Parameter names below `visual.` are those of published checkpoints. The input is already normalised.
Letters: B studies, S scans, P prefix tokens, L patch tokens a scan, C width. Source: arXiv 2505.21862.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

LEVELS = ("slice", "scan", "study")


@dataclass(frozen=True)
class Config:
    img: tuple[int, int, int]
    patch: tuple[int, int, int]
    dim: int
    heads: int
    depth: int
    max_num_scans: int
    slice: tuple[int, ...] = ()
    scan: tuple[int, ...] = ()
    study: tuple[int, ...] = ()
    reg_tokens: int = 0
    embedding_dim: int = 512
    head: str = "cls"  # or "dinotxt_dual": every prefix token joined with the mean patch token

    @property
    def grid(self) -> tuple[int, int, int]:
        return tuple(size // patch for size, patch in zip(self.img, self.patch))

    def levels(self) -> list[str]:
        of_block = {i: level for level in LEVELS for i in getattr(self, level)}
        return [of_block[i] for i in range(self.depth)]


_BASE = Config((48, 224, 224), (8, 16, 16), 768, 12, 12, 40)
_LOW, _HIGH = (0, 1, 3, 4, 6, 7, 9, 10), (2, 5, 8, 11)
VARIANTS = {
    "vit_base_singlescan_h2_token2744": replace(
        _BASE, img=(112, 336, 336), patch=(8, 24, 24), max_num_scans=1, slice=_LOW, study=_HIGH),
    "vit_base_multiscan_h2_token588": replace(_BASE, patch=(16, 16, 16), scan=_LOW, study=_HIGH),
    "vit_base_multiscan_h2_token1176": replace(_BASE, scan=_LOW, study=_HIGH),
    "vit_large_multiscan_h2_token1176": replace(
        _BASE, dim=1024, heads=16, depth=24, embedding_dim=768,
        scan=tuple(i for i in range(24) if i % 3 != 2), study=tuple(range(2, 24, 3))),
    "vit_base_multiscan_h3_token1176": replace(_BASE, slice=(0, 3, 6, 9), scan=(1, 4, 7, 10), study=_HIGH),
}


def sin_cos_1d(length: int, channels: int) -> torch.Tensor:
    """[length, channels]: sines of all frequencies, then their cosines."""
    half = channels // 2
    frequencies = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def sin_cos_3d(grid: tuple[int, int, int], channels: int) -> torch.Tensor:
    """[d, h, w, channels]: a third of the channels an axis, in the order w, h, d."""
    along_d, along_h, along_w = (sin_cos_1d(n, channels // 3) for n in grid)
    d, h, w = grid
    parts = [along_w[None, None], along_h[None, :, None], along_d[:, None, None]]
    return torch.cat([part.expand(d, h, w, -1) for part in parts], dim=-1)


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        sequences, tokens, dim = x.shape
        qkv = self.qkv(x).view(sequences, tokens, 3, self.heads, dim // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(sequences, tokens, dim))


class Mlp(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, patch: tuple[int, int, int], dim: int):
        super().__init__()
        self.proj = nn.Conv3d(1, dim, patch, stride=patch)

    def forward(self, scans):
        return self.proj(scans).movedim(1, -1)  # [S, d, h, w, C]


@dataclass
class Layout:
    """Which slices belong to which scan, and which scans to which study."""

    studies: list[int]  # scans of each study
    slices: int  # of each scan

    @property
    def uniform(self) -> bool:
        return len(set(self.studies)) == 1

    def parts(self, lower: str, upper: str) -> list[int]:
        """For each sequence of the upper level, how many of the lower level it holds."""
        if upper == "scan":
            return [self.slices] * sum(self.studies)
        return [n * (self.slices if lower == "slice" else 1) for n in self.studies]


class Trunk(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config.patch, config.dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.dim))
        if config.reg_tokens:
            self.reg_token = nn.Parameter(torch.zeros(1, config.reg_tokens, config.dim))
        self.register_buffer("spatial_posemb", sin_cos_3d(config.grid, config.dim)[None].float())
        if config.max_num_scans > 1:
            self.register_buffer("sequential_posemb", sin_cos_1d(config.max_num_scans, config.dim)[None].float())
        self.blocks = nn.ModuleList(Block(config.dim, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)

    def prefix(self) -> torch.Tensor:
        return torch.cat([self.cls_token, self.reg_token], dim=1) if self.config.reg_tokens else self.cls_token

    def _spatial(self, grid: tuple[int, ...]) -> torch.Tensor:
        table = self.spatial_posemb
        if tuple(table.shape[1:4]) != tuple(grid):
            table = F.interpolate(table.movedim(-1, 1), size=grid, mode="trilinear").movedim(1, -1)
        return table  # [1, d, h, w, C]

    def _sequential(self, studies: list[int], positions) -> torch.Tensor | None:
        if self.config.max_num_scans <= 1:
            return None
        table = self.sequential_posemb[0]
        if positions is not None:
            return table[positions]
        rows = []
        for scans in studies:
            longer = F.interpolate(table.T[None], size=scans, mode="linear")[0].T if scans > len(table) else table
            rows.append(longer[:scans])
        return torch.cat(rows)  # [S, C]

    def _start(self, scans, studies, positions, keep):
        """Positions, patch dropout and prefix tokens: the sequences of the first block."""
        x = self.patch_embed(scans)
        _, d, h, w, dim = x.shape
        x = x + self._spatial((d, h, w))
        sequential = self._sequential(studies, positions)
        if sequential is not None:
            x = x + sequential[:, None, None, None]
        first = self.config.levels()[0]
        x = x.reshape(-1, h * w if first == "slice" else d * h * w, dim)
        if keep is not None:
            x = x.gather(1, keep[..., None].expand(-1, -1, dim))
        lowest = "slice" if first == "slice" else "scan"
        return [torch.cat([self.prefix().expand(len(x), -1, -1), x], dim=1)], Layout(studies, d), lowest

    def _regroup(self, x: list[torch.Tensor], layout: Layout, before: str, after: str) -> list[torch.Tensor]:
        """Moves patch tokens to the sequences of another level; prefix tokens are averaged going up, copied going down."""
        if before == after:
            return x
        count, dim = self.prefix().shape[1], x[0].shape[-1]
        prefix = torch.cat([t[:, :count] for t in x])
        patches = torch.cat([t[:, count:].reshape(-1, dim) for t in x])
        if LEVELS.index(after) > LEVELS.index(before):
            prefix = torch.stack([part.mean(0) for part in prefix.split(layout.parts(before, after))])
        else:
            parts = layout.parts(after, before)
            prefix = torch.cat([prefix[i:i + 1].expand(n, -1, -1) for i, n in enumerate(parts)])
        if after == "study" and not layout.uniform:
            per_scan = len(patches) // sum(layout.studies)
            own = patches.split([n * per_scan for n in layout.studies])
            return [torch.cat([prefix[i:i + 1], own[i][None]], dim=1) for i in range(len(own))]
        return [torch.cat([prefix, patches.view(len(prefix), -1, dim)], dim=1)]

    def forward(self, scans, studies, positions=None, keep=None, trace=None):
        """One tensor [studies, P + tokens, C] when all studies have as many scans, else one for each study."""
        x, layout, level = self._start(scans, studies, positions, keep)
        for block, next_level in zip(self.blocks, self.config.levels()):
            x = [block(t) for t in self._regroup(x, layout, level, next_level)]
            level = next_level
            if trace is not None:
                trace.append(x)
        return [self.norm(t) for t in self._regroup(x, layout, level, "study")]


class Head(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.dual = config.head == "dinotxt_dual"
        self.prefixes = 1 + config.reg_tokens
        self.proj = nn.Linear(config.dim * (2 if self.dual else 1), config.embedding_dim, bias=False)

    def forward(self, tokens):
        if not self.dual:
            return self.proj(tokens[:, 0])  # [B, width]
        prefix, patches = tokens.split([self.prefixes, tokens.shape[1] - self.prefixes], dim=1)
        mean = patches.mean(1, keepdim=True).expand_as(prefix)
        return self.proj(torch.cat([prefix, mean], dim=-1))  # [B, P, width]


class Visual(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.trunk = Trunk(config)
        self.head = Head(config)


class Hlip(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.visual = Visual(config)

    def forward(self, scans, studies, positions=None, keep=None):
        """Embeddings of unit length, [B, width] or [B, P, width]."""
        tokens = self.visual.trunk(scans, studies, positions, keep)
        return F.normalize(torch.cat([self.visual.head(t) for t in tokens]), dim=-1)


def kept_patches(config: Config, scans: int, rate: float, device: str = "cpu") -> torch.Tensor:
    """Patch dropout: the same number of random patches for each sequence of the first block, in their own order."""
    d, h, w = config.grid
    first_is_slice = config.levels()[0] == "slice"
    sequences, tokens = (scans * d, h * w) if first_is_slice else (scans, d * h * w)
    keep = max(1, int(tokens * (1 - rate)))
    return torch.rand(sequences, tokens, device=device).argsort(dim=1)[:, :keep].sort(dim=1).values


def from_mae_2d(weights: dict[str, torch.Tensor], config: Config) -> dict[str, torch.Tensor]:
    """The trunk's first tensors from a 2-D MAE ViT (position table with a class row)."""
    table = weights["pos_embed"][0]
    side, dim = int((len(table) - 1) ** 0.5), table.shape[1]
    plane = table[1:].reshape(side, side, dim).movedim(-1, 0)[None]
    plane = F.interpolate(plane, size=config.grid[1:], mode="bicubic", antialias=True)[0].movedim(0, -1)
    kernel = F.interpolate(weights["patch_embed.proj.weight"], size=config.patch[1:], mode="bicubic")
    kernel = kernel.sum(1, keepdim=True)[:, :, None].expand(-1, -1, config.patch[0], -1, -1) / config.patch[0]
    depth = sin_cos_1d(config.grid[0], dim).to(table.dtype)
    return {
        "cls_token": weights["cls_token"] + table[0],
        "spatial_posemb": (depth[:, None, None] + plane[None])[None],
        "patch_embed.proj.weight": kernel,
        "patch_embed.proj.bias": weights["patch_embed.proj.bias"],
    }
