#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times one training step of the HLIP encoder in PyTorch on the CPU and prints JSON.

    python perf/peer/step_torch.py --scans 1 --threads 2
    python perf/peer/step_torch.py --dtype bf16-autocast --compile --patch-dropout 0.5

One study of --scans scans; loss = sum(embedding · r); AdamW with PyTorch's fused kernel; no drop path. Median over --repeats
steps after --warm-up. FLOPs by formula: 2·m·n·k a matrix product (backward twice that; the patch embedding once, for its
input has no gradient), attention 4·Tq·Tk·C forward and twice that backward. The ceiling is the best of several f32 torch.mm
of 2048×2048×2048 on the same threads, taken before and after the steps: where the two differ much, the machine was not calm.
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import time

import torch

from hlip_torch import VARIANTS, Config, Hlip, kept_patches


def sequence_lengths(config: Config, scans: int, kept: int, level: str) -> list[int]:
    """Tokens of each sequence of a level; `kept` patch tokens a scan."""
    prefix, slices = 1 + config.reg_tokens, config.grid[0]
    shapes = {"slice": (scans * slices, kept // slices), "scan": (scans, kept), "study": (1, scans * kept)}
    count, tokens = shapes[level]
    return [prefix + tokens] * count


def forward_flops(config: Config, scans: int, kept: int) -> tuple[int, int]:
    """(patch embedding, all the rest), with patch dropout after the embedding."""
    grid, patch, width = config.grid, config.patch, config.dim
    embed = 2 * scans * grid[0] * grid[1] * grid[2] * patch[0] * patch[1] * patch[2] * width
    rest = 2 * width * config.embedding_dim
    for level in config.levels():
        lengths = sequence_lengths(config, scans, kept, level)
        rest += 2 * sum(lengths) * 12 * width**2  # qkv 3, projection 1, MLP 4 + 4
        rest += sum(4 * tokens * tokens * width for tokens in lengths)
    return embed, rest


def mm_ceiling(size: int = 2048, repeats: int = 5) -> float:
    """f32 FLOP/s of torch.mm, best of `repeats`."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    out = torch.empty(size, size)
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        torch.mm(a, b, out=out)
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best


class Step:
    """One training step, timed in its three parts."""

    def __init__(self, config: Config, options):
        self.config, self.options = config, options
        self.model = Hlip(config)
        self._start_weights()
        self.run = torch.compile(self.model) if options.compile else self.model
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1e-5, betas=(0.9, 0.95), eps=1e-6, weight_decay=0.2, fused=True)
        self.scans = torch.rand(options.scans, 1, *config.img)
        self.cotangent = torch.randn(1, config.embedding_dim)

    def _start_weights(self):
        for name, parameter in self.model.named_parameters():
            if parameter.ndim >= 2:
                torch.nn.init.trunc_normal_(parameter, std=0.02)

    def _precision(self):
        if self.options.dtype == "f32":
            return contextlib.nullcontext()
        return torch.autocast("cpu", torch.bfloat16)

    def _keep(self):
        rate = self.options.patch_dropout
        return kept_patches(self.config, self.options.scans, rate) if rate > 0 else None

    def __call__(self) -> tuple[float, float, float]:
        self.optimizer.zero_grad(set_to_none=True)
        marks = [time.perf_counter()]
        with self._precision():
            embedding = self.run(self.scans, [self.options.scans], keep=self._keep())
        loss = (embedding.float() * self.cotangent).sum()
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        self.optimizer.step()
        marks.append(time.perf_counter())
        return tuple(after - before for before, after in zip(marks, marks[1:]))


def kept_a_scan(config: Config, rate: float) -> int:
    d, h, w = config.grid
    if rate <= 0:
        return d * h * w
    kept = kept_patches(config, 1, rate).shape
    return kept[0] * kept[1]


def cpu_name() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()


def measure(options) -> dict:
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    config = VARIANTS[options.variant]
    before = mm_ceiling()
    step = Step(config, options)
    for _ in range(options.warm_up):
        step()
    parts = list(zip(*(step() for _ in range(options.repeats))))
    after = mm_ceiling()
    forward, backward, update = (statistics.median(part) for part in parts)
    embed, rest = forward_flops(config, options.scans, kept_a_scan(config, options.patch_dropout))
    ceiling = max(before, after)
    total = 2 * embed + 3 * rest
    return {
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()[0],
                    "capability": torch.backends.cpu.get_cpu_capability(), "torch": torch.__version__},
        "settings": {key: value for key, value in vars(options).items()},
        "parameters": sum(p.numel() for p in step.model.parameters()),
        "seconds": {"forward": forward, "backward": backward, "optimizer": update,
                    "step": statistics.median(map(sum, zip(*parts))), "fastest_step": min(map(sum, zip(*parts)))},
        "flops": {"forward": embed + rest, "backward": embed + 2 * rest, "step": total},
        "gflops_per_second": {"forward": (embed + rest) / forward / 1e9, "backward": (embed + 2 * rest) / backward / 1e9,
                              "forward_backward": total / (forward + backward) / 1e9},
        "mm_f32_gflops_per_second": {"before": before / 1e9, "after": after / 1e9},
        "share_of_mm": total / (forward + backward) / ceiling,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", choices=VARIANTS, default="vit_base_multiscan_h2_token1176")
    parser.add_argument("--scans", type=int, default=1)
    parser.add_argument("--dtype", choices=("f32", "bf16-autocast"), default="f32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--compile", action="store_true", help="torch.compile (needs a C++ compiler)")
    parser.add_argument("--patch-dropout", type=float, default=0.0)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    print(json.dumps(measure(parser.parse_args()), indent=2))


if __name__ == "__main__":
    main()
