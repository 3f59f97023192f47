#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What perf_study times, done with NumPy, SciPy and PyTorch on one thread (pip install numpy scipy torch).

    python perf/peer/geometry_numpy.py [--repeats 3]

Milliseconds are the least of the repetitions. GB/s count the f32 source once and the result once, as perf_study does.
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage


def head(extents):
    d, h, w = np.meshgrid(*[(np.arange(n) + 0.5) / n * 2 - 1 for n in extents], indexing="ij", sparse=True)
    r = np.hypot(h, w * 1.2) + 0.1 * np.abs(d)
    tissue = np.where(r > 0.9, -1000, np.where(r > 0.8, 900, 35))
    return (tissue + np.random.default_rng(1).integers(0, 32, extents)).astype(np.float32)


def resize(volume, size, mode):
    extra = {"align_corners": False} if mode in ("trilinear", "bilinear") else {}
    return F.interpolate(torch.from_numpy(volume)[None, None], size=size, mode=mode, **extra)[0, 0].numpy()


def cubic(volume, spacing, target=(1, 1, 1)):
    counts = [int(np.round((n - 1) * s / t + 1)) for n, s, t in zip(volume.shape, spacing, target)]
    scale = [t / s for s, t in zip(spacing, target)]
    return ndimage.affine_transform(volume, scale, output_shape=counts, order=3, mode="nearest")


def foreground(volume):
    mask = volume > 0
    box = []
    for axis in range(3):
        inside = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(inside[0], inside[-1] + 1))
    return volume[tuple(box)].copy()


def window(volume, low, high):
    return np.clip((volume - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)


def to_u8(unit):
    return (unit * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def in_plane(unit):
    image = F.interpolate(torch.from_numpy(unit)[None], size=(256, 256), mode="bilinear")
    return F.interpolate(image[None], size=(48, 256, 256), mode="nearest-exact")[0, 0, :, 16:240, 16:240].numpy()


def oriented(volume):  # slices downwards, columns to the right
    return np.ascontiguousarray(volume[::-1, :, ::-1])


def brain_mri(volume):
    volume = oriented(volume)
    return to_u8(in_plane(window(volume, *np.percentile(volume, (0.5, 99.5)))))


def head_ct(volume, windows):
    volume = oriented(volume)
    return np.stack([to_u8(in_plane(window(volume, *w))) for w in windows])


def chest_ct(volume):
    size = (int(volume.shape[0] / 3), int(volume.shape[1] * 0.7), int(volume.shape[2] * 0.7))
    unit = window(resize(volume, size, "trilinear"), -1150, 350)
    pads = [max(t - n, 0) for t, n in zip((112, 336, 336), unit.shape)]
    unit = np.pad(unit, [(p // 2, p - p // 2) for p in pads])
    starts = [(n - t) // 2 for n, t in zip(unit.shape, (112, 336, 336))]
    return to_u8(unit[tuple(slice(s, s + t) for s, t in zip(starts, (112, 336, 336)))])


def head_ct_foundation(volume):
    ras = np.ascontiguousarray(volume[:, ::-1, ::-1].transpose(2, 1, 0))
    cropped = foreground(cubic(ras, (0.45, 0.45, 5)))
    channels = torch.from_numpy(np.stack([window(cropped, *w) for w in WINDOWS]))
    return to_u8(F.interpolate(channels[None], size=(96, 96, 96), mode="area")[0].numpy())


WINDOWS = [(0, 80), (-20, 180), (-800, 2000)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    thick, thin, brain, chest = head((28, 512, 512)), head((180, 256, 256)), head((24, 512, 512)), head((300, 512, 512))
    cases = {
        "orient/RAS": (thick, lambda v: np.ascontiguousarray(v[:, ::-1, ::-1].transpose(2, 1, 0))),
        "orient/IPR": (thick, oriented),
        "resize/linear": (thick, lambda v: resize(v, (28, 256, 256), "trilinear")),
        "resize/area": (thin, lambda v: resize(v, (96, 96, 96), "area")),
        "resize/trilinear": (thin, lambda v: resize(v, (112, 336, 336), "trilinear")),
        "resize/nearest": (thin, lambda v: resize(v, (48, 224, 224), "nearest-exact")),
        "spacing/cubic": (thick, lambda v: cubic(v, (5, 0.45, 0.45))),
        "crop_foreground": (thick, foreground),
        "window": (thick, lambda v: window(v, 0, 80)),
        "percentiles": (thick, lambda v: np.percentile(v, (0.5, 99.5))),
        "quantize/u8": (thick, lambda v: to_u8(np.clip(v, 0, 1))),
        "profile/brain_mri": (brain, brain_mri),
        "profile/head_ct_1_window": (thick, lambda v: head_ct(v, WINDOWS[:1])),
        "profile/head_ct_3_windows": (thick, lambda v: head_ct(v, WINDOWS)),
        "profile/chest_ct": (chest, chest_ct),
        "profile/head_ct_foundation": (thick, head_ct_foundation),
    }
    for name, (volume, step) in cases.items():
        best = np.inf
        for _ in range(options.repeats):
            start = time.process_time()
            result = step(volume)
            best = min(best, time.process_time() - start)
        moved = volume.nbytes + (result.nbytes if name != "percentiles" else 0)
        print(f"{name:28} {best * 1e3:9.1f} ms {moved / best / 1e9:8.2f} GB/s")


if __name__ == "__main__":
    main()
