#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the golden files of tests/golden/data with PyTorch (pip install torch timm safetensors numpy).

    python tools/make_golden.py                  all files
    python tools/make_golden.py --only resample  one file
"""

import argparse
from pathlib import Path

import timm
import torch

from golden import optimizers, resample, small_hlip, torch_ops, values

DATA = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data"


def write_ops(folder: Path) -> None:
    tensors = torch_ops.make() | optimizers.make()
    values.save(folder / "torch_ops.safetensors", tensors, {"timm": timm.__version__})


def write_resample(folder: Path) -> None:
    values.save(folder / "resample.safetensors", resample.make(), {})


def write_small_hlip(folder: Path) -> None:
    tensors = small_hlip.make()
    values.save(folder / "small_hlip_f64.safetensors", tensors, small_hlip.describe(tensors))


def write_contrastive(folder: Path) -> None:
    from golden import contrastive  # pip install open_clip_torch

    values.save(folder / "contrastive.safetensors", contrastive.make(), {"open_clip": contrastive.version()})


def write_bert(folder: Path) -> None:
    from golden import bert  # pip install 'transformers<5'

    values.save(folder / "bert.safetensors", bert.make(), bert.describe())


FILES = {"contrastive": write_contrastive, "torch_ops": write_ops, "resample": write_resample, "small_hlip_f64": write_small_hlip, "bert": write_bert}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=FILES, help="write this file alone")
    parser.add_argument("--out", type=Path, default=DATA, help="folder to write into")
    options = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation
    for name, write in FILES.items():
        if options.only in (None, name):
            write(options.out)


if __name__ == "__main__":
    main()
