#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times PyTorch's AdamW over the parameters that perf_optim steps (a ViT-B, f32) and prints JSON.

    python perf/peer/adamw_torch.py --threads 2

Bytes by the same formula as perf_optim: 4 for each read and write of p, g, m, v, seven in all.
"""

import argparse
import json
import statistics
import time

import torch

BLOCK = [(768,), (768,), (2304, 768), (2304,), (768, 768), (768,), (768,), (768,), (3072, 768), (3072,), (768, 3072), (768,)]
SHAPES = [(1, 1, 768), (768, 1, 8, 16, 16), (768,)] + 12 * BLOCK + [(768,), (768,), (512, 768)]


def measure(repeats: int, **form) -> dict[str, float]:
    parameters = [torch.nn.Parameter(torch.full(shape, 0.01)) for shape in SHAPES]
    for p in parameters:
        p.grad = torch.full_like(p, 0.02)
    groups = [{"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.1},
              {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-5, **form)
    seconds = []
    for i in range(repeats + 2):
        begin = time.perf_counter()
        optimizer.step()
        if i >= 2:
            seconds.append(time.perf_counter() - begin)
    count = sum(p.numel() for p in parameters)
    median, best = statistics.median(seconds), min(seconds)
    return {"ms": round(median * 1e3, 2), "best_ms": round(best * 1e3, 2),
            "gb_per_s": round(28e-9 * count / median, 2), "best_gb_per_s": round(28e-9 * count / best, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    forms = {"fused": {"fused": True}, "foreach": {"foreach": True}}
    result = {"torch": torch.__version__, "threads": arguments.threads, "parameters": sum(torch.Size(s).numel() for s in SHAPES)}
    print(json.dumps(result | {name: measure(arguments.repeats, **form) for name, form in forms.items()}, indent=2))


if __name__ == "__main__":
    main()
