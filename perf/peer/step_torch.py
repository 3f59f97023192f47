#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times one training step of the HLIP encoder in PyTorch and writes the JSON that `strata bench train` writes.

    python perf/peer/step_torch.py --scans 8 --dtype bf16 --threads 2
    python perf/peer/step_torch.py --scans 8 --dtype bf16 --compile --patch-dropout 0.5 --json report.json
    python perf/peer/step_torch.py --device cuda --studies 8 --scans 8 --dtype bf16 --compile

--studies studies of --scans scans; loss = sum(embedding · r); gradients clipped to norm 1; AdamW with PyTorch's fused kernel; no
drop path. bf16 is what open_clip calls amp_bf16, and what HLIP trains with: weights and their moments in f32, torch.autocast to
bf16, attention by F.scaled_dot_product_attention (on a device with bf16: flash). TF32 products are allowed, and cuDNN may try its
algorithms, as open_clip sets them. Median over --repeats steps after --warm-up. On a device the step is timed as a whole, and its
parts in as many further steps with waits in between. FLOPs by formula (perf/README.md). The ceiling is the best torch.mm of that
type over the shapes of matmul_torch.py, taken before and after the steps: where the two differ much, the machine was not calm.
Memory: the process's peak; on a device also what PyTorch's allocator handed out and took at most, and what the device has in use.
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
from matmul_torch import ceiling


def sequence_lengths(config: Config, studies: int, scans: int, kept: int, level: str) -> list[int]:
    """Tokens of each sequence of a level; `kept` patch tokens a scan."""
    prefix, slices = 1 + config.reg_tokens, config.grid[0]
    shapes = {"slice": (scans * slices, kept // slices), "scan": (scans, kept), "study": (1, scans * kept)}
    count, tokens = shapes[level]
    return [prefix + tokens] * (count * studies)


def forward_flops(config: Config, studies: int, scans: int, kept: int) -> tuple[int, int]:
    """(patch embedding, all the rest), with patch dropout after the embedding."""
    grid, patch, width = config.grid, config.patch, config.dim
    embed = 2 * studies * scans * grid[0] * grid[1] * grid[2] * patch[0] * patch[1] * patch[2] * width
    rest = 2 * studies * width * config.embedding_dim
    for level in config.levels():
        lengths = sequence_lengths(config, studies, scans, kept, level)
        rest += 2 * sum(lengths) * 12 * width**2  # qkv 3, projection 1, MLP 4 + 4
        rest += sum(4 * tokens * tokens * width for tokens in lengths)
    return embed, rest


class Step:
    """One training step, timed in its four parts."""

    def __init__(self, config: Config, options):
        self.config, self.options = config, options
        self.device = options.device
        self.model = Hlip(config).to(self.device)
        self._start_weights()
        self.run = torch.compile(self.model) if options.compile else self.model
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1e-5, betas=(0.9, 0.95), eps=1e-6, weight_decay=0.2, fused=True)
        self.studies = [options.scans] * options.studies
        self.scans = torch.rand(sum(self.studies), 1, *config.img).to(self.device)
        self.cotangent = torch.randn(options.studies, config.embedding_dim).to(self.device)

    def _start_weights(self):
        for name, parameter in self.model.named_parameters():
            if parameter.ndim >= 2:
                torch.nn.init.trunc_normal_(parameter, std=0.02)

    def _precision(self):
        if self.options.dtype == "f32":
            return contextlib.nullcontext()
        return torch.autocast(self.device, torch.bfloat16)

    def _keep(self):
        rate = self.options.patch_dropout
        return kept_patches(self.config, sum(self.studies), rate, self.device) if rate > 0 else None

    def _wait(self):
        if self.device != "cpu":
            torch.cuda.synchronize()

    def __call__(self, by_part: bool = True) -> tuple[float, ...]:
        """Seconds of forward, backward, clipping and optimizer; without `by_part` their sum alone means something on a device."""
        def mark():
            if by_part:
                self._wait()
            marks.append(time.perf_counter())

        marks = []
        self._wait()
        mark()
        self.optimizer.zero_grad(set_to_none=True)
        with self._precision():
            embedding = self.run(self.scans, self.studies, keep=self._keep())
        loss = (embedding.float() * self.cotangent).sum()
        mark()
        loss.backward()
        mark()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0, foreach=True)
        mark()
        self.optimizer.step()
        self._wait()
        mark()
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
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    config = VARIANTS[options.variant]
    on_device = options.device != "cpu"
    load = os.getloadavg()[0]

    def best_product() -> dict:
        with torch.no_grad():
            return ceiling(options.dtype, device=options.device, width=config.dim)

    before = best_product()
    if on_device:
        torch.cuda.empty_cache()
    step = Step(config, options)
    for _ in range(options.warm_up):
        step()
    if on_device:
        torch.cuda.reset_peak_memory_stats()
    whole = [sum(step(by_part=False)) for _ in range(options.repeats)] if on_device else []
    steps = [step() for _ in range(options.repeats)]
    memory = {"peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}  # Linux counts in KiB
    if on_device:
        free, total = torch.cuda.mem_get_info()
        memory |= {"peak": torch.cuda.max_memory_allocated(), "reserved": torch.cuda.max_memory_reserved(),
                   "device_in_use": total - free}
    return report(options, step, steps, whole, before, best_product(), memory, load)


def machine(options, load: float) -> dict:
    facts = {"processor": cpu_name(), "instruction set": torch.backends.cpu.get_cpu_capability(), "cores": os.cpu_count(),
             "system": platform.platform(), "load average": load}
    if options.device != "cpu":
        facts["device"] = torch.cuda.get_device_name()
    return facts


def report(options, step: Step, steps, whole, before: dict, after: dict, memory: dict, load: float) -> dict:
    config = step.config
    forward, backward, clipping, update = (statistics.median(part) for part in zip(*steps))
    totals = whole or [sum(parts) for parts in steps]
    kept = kept_a_scan(config, options.patch_dropout)
    embed, rest = forward_flops(config, options.studies, options.scans, kept)
    flops = 2 * embed + 3 * rest  # the voxels want no gradient
    median = statistics.median(totals)
    best = max(before, after, key=lambda found: found["gflops_per_second"])
    rates = {"forward": (embed + rest) / forward / 1e9, "backward": (flops - embed - rest) / backward / 1e9,
             "forward_backward": flops / (forward + backward) / 1e9, "step": flops / median / 1e9}
    return {
        "program": "step_torch.py",
        "machine": machine(options, load),
        "build": {"type": "torch.compile" if options.compile else "eager", "torch": torch.__version__},
        "settings": {"variant": options.variant, "studies": options.studies, "scans": options.scans,
                     "patch_tokens": sum(step.studies) * kept, "dtype": options.dtype, "threads": options.threads,
                     "patch_dropout": options.patch_dropout, "checkpointing": "none", "optimizer": "adamw",
                     "compile": options.compile, "device": options.device, "repeats": options.repeats},
        "parameters": sum(p.numel() for p in step.model.parameters()),
        "seconds": {"forward": forward, "backward": backward, "clipping": clipping, "optimizer": update, "step": median,
                    "fastest_step": min(totals), "steps": totals},
        "flops": {"forward": embed + rest, "step": flops},
        "gflops_per_second": rates,
        "ceiling": {**best, "before": before["gflops_per_second"], "after": after["gflops_per_second"]},
        "share_of_ceiling": rates["step"] / best["gflops_per_second"],
        "memory": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", choices=VARIANTS, default="vit_base_multiscan_h2_token1176")
    parser.add_argument("--studies", type=int, default=1, help="of a step, all at once")
    parser.add_argument("--scans", type=int, default=1, help="of each study")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--compile", action="store_true", help="torch.compile (needs a C++ compiler)")
    parser.add_argument("--patch-dropout", type=float, default=0.0)
    parser.add_argument("--warm-up", type=int, help="default: 2, on a device 5")
    parser.add_argument("--repeats", type=int, help="default: 5, on a device 20")
    parser.add_argument("--json", default="-", help="where to write; - for standard output")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.exit(3, "[step_torch] this PyTorch sees no CUDA device\n")
    options.warm_up = options.warm_up if options.warm_up is not None else (2 if options.device == "cpu" else 5)
    options.repeats = options.repeats or (5 if options.device == "cpu" else 20)
    text = json.dumps(measure(options), indent=2)
    if options.json == "-":
        print(text)
    else:
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
