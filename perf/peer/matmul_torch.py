#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's matrix products of the shapes that ceilings are taken from (perf/README.md), one JSON line a shape and type.

    python perf/peer/matmul_torch.py [threads] [repetitions] [f32|bf16|both]
"""

import json
import sys
import time

import torch

SHAPES = [(m, k, n) for m in (1176, 9408) for k, n in ((768, 2304), (768, 768), (768, 3072), (3072, 768))]
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def rate(flops: float, repetitions: int, work) -> float:
    """GFLOP/s, best of the repetitions after one that does not count."""
    best = float("inf")
    for i in range(repetitions + 1):
        begin = time.perf_counter()
        work()
        if i:
            best = min(best, time.perf_counter() - begin)
    return round(flops / best * 1e-9, 1)


def rates(m: int, k: int, n: int, dtype: torch.dtype, repetitions: int) -> dict:
    x, w, b, y = (torch.randn(shape).to(dtype) for shape in ((m, k), (n, k), (n,), (m, n)))
    flops = 2 * m * k * n
    return {"linear_gflops": rate(flops, repetitions, lambda: torch.nn.functional.linear(x, w, b)),
            "dx_gflops": rate(flops, repetitions, lambda: torch.mm(y, w)),
            "dw_gflops": rate(flops, repetitions, lambda: torch.mm(y.t(), x))}


def device_shapes(width: int) -> list[tuple[int, int, int]]:
    """What `strata bench` takes on a device: a model of that width with many rows, and large squares."""
    c = width
    of_model = [(m, k, n) for m in (9408, 65536) for k, n in ((c, 3 * c), (c, c), (c, 4 * c), (4 * c, c))]
    return of_model + [(edge,) * 3 for edge in (4096, 8192)]


def device_rate(flops: float, work, round_seconds: float = 0.02) -> float:
    """GFLOP/s of calls queued behind each other, the better of two rounds, after two calls that do not count."""
    def seconds(calls: int) -> float:
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(calls):
            work()
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / calls

    work()
    calls = min(max(int(round_seconds / seconds(1)), 3), 400)
    return round(flops / min(seconds(calls), seconds(calls)) * 1e-9, 1)


def ceiling(dtype: str, repetitions: int = 3, device: str = "cpu", width: int = 768) -> dict:
    """The best rate of x · wT over all shapes."""
    best = {"gflops_per_second": 0.0}
    for m, k, n in SHAPES if device == "cpu" else device_shapes(width):
        x, w = (torch.randn(shape, device=device).to(TYPES[dtype]) for shape in ((m, k), (n, k)))
        flops = 2 * m * k * n
        found = (rate(flops, repetitions, lambda: torch.mm(x, w.t())) if device == "cpu"
                 else device_rate(flops, lambda: torch.mm(x, w.t())))
        if found > best["gflops_per_second"]:
            best = {"gflops_per_second": found, "m": m, "k": k, "n": n}
    return best


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    wanted = sys.argv[3] if len(sys.argv) > 3 else "both"
    torch.set_num_threads(threads)
    print(json.dumps({"torch": torch.__version__, "threads": threads, "repetitions": repetitions}))
    for name, dtype in TYPES.items():
        if wanted not in (name, "both"):
            continue
        for m, k, n in SHAPES:
            print(json.dumps({"dtype": name, "m": m, "k": k, "n": n, **rates(m, k, n, dtype, repetitions)}), flush=True)


if __name__ == "__main__":
    with torch.no_grad():
        main()
