#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's f32 matrix products of the shapes that perf_cpu measures. Usage: matmul_torch.py [threads] [repetitions]"""

import json
import sys
import time

import torch

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
torch.set_num_threads(threads)
print(json.dumps({"torch": torch.__version__, "threads": threads, "repetitions": repetitions}))


def rate(flops, work):
    best = 1e30
    for i in range(repetitions + 1):
        begin = time.perf_counter()
        work()
        if i:
            best = min(best, time.perf_counter() - begin)
    return round(flops / best * 1e-9, 1)


for m in (1177, 4708, 9408):
    for k, n in ((768, 768), (768, 2304), (768, 3072), (3072, 768)):
        x, w, b, y = torch.randn(m, k), torch.randn(n, k), torch.randn(n), torch.randn(m, n)
        row = {"m": m, "k": k, "n": n}
        row["linear_gflops"] = rate(2 * m * k * n, lambda: torch.nn.functional.linear(x, w, b))
        row["dx_gflops"] = rate(2 * m * k * n, lambda: torch.mm(y, w))
        row["dw_gflops"] = rate(2 * m * k * n, lambda: torch.mm(y.t(), x))
        print(json.dumps(row), flush=True)
