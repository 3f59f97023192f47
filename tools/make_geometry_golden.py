#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/data/geometry.safetensors: what SimpleITK, SciPy, MONAI, PyTorch and NumPy make of small volumes.

    pip install torch numpy scipy SimpleITK monai safetensors
    python tools/make_geometry_golden.py [--out DIR]

Arrays are [D, H, W]. Grids are [4, 3]: origin and the steps of D, H and W, in mm, RAS (the libraries' LPS with x and y negated).
"""

import argparse
from pathlib import Path

import monai
import numpy as np
import scipy
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from monai import transforms
from scipy import ndimage

from golden import values

DATA = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data"
LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def rotation(angles):
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.eye(3)
        others = [a for a in range(3) if a != axis]
        turn[np.ix_(others, others)] = [[c, -s], [s, c]]
        matrix = matrix @ turn
    return matrix


def smooth(rng, shape, scale):
    """Values that a spline can follow, not exact in binary."""
    return (ndimage.gaussian_filter(rng.standard_normal(shape), 1.0) * scale).astype(np.float32)


def itk_image(array, spacing, direction, origin):
    """spacing and origin by x, y, z; direction's columns are the axes x, y, z."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection(np.asarray(direction, float).ravel().tolist())
    image.SetOrigin([float(o) for o in origin])
    return image


def itk_grid(image):
    steps = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())  # columns x, y, z
    rows = [np.array(image.GetOrigin()), steps[:, 2], steps[:, 1], steps[:, 0]]
    return np.stack([row * LPS_TO_RAS for row in rows])


def torch_resize(array, size, mode):
    extra = {"align_corners": False} if mode == "trilinear" else {}
    return F.interpolate(torch.from_numpy(array)[None, None], size=size, mode=mode, **extra)[0, 0].numpy()


def torch_cases(rng):
    out = {"torch.in": smooth(rng, (7, 10, 12), 300)}
    sizes = {"up": (11, 15, 13), "down": (3, 4, 5), "mixed": (14, 5, 12), "one": (1, 20, 1)}
    for mode, name in (("trilinear", "linear"), ("area", "area"), ("nearest-exact", "nearest")):
        for case, size in sizes.items():
            out[f"torch.{name}.{case}"] = torch_resize(out["torch.in"], size, mode)
    # Which sample is the nearest, for many pairs of extents: rows n, m, then m indexes.
    rows = []
    for n in (1, 2, 3, 17, 20, 27, 28, 31, 36, 112, 208, 224, 304, 336, 512):
        for m in (1, 16, 24, 40, 48):
            picked = F.interpolate(torch.arange(n).float()[None, None], size=m, mode="nearest-exact")[0, 0]
            rows.append(np.concatenate([[n, m], picked.numpy(), np.zeros(48 - m)]))
    out["torch.nearest.table"] = np.array(rows, np.float32)
    return out


def scipy_cases(rng):
    """Order 3, the edge repeated; positions stay between the first and the last sample."""
    source = smooth(rng, (9, 12, 10), 300)
    out = {"scipy.in": source}

    def sample(positions, order):
        grid = np.meshgrid(*[np.clip(p, 0, n - 1) for p, n in zip(positions, source.shape)], indexing="ij")
        return ndimage.map_coordinates(source.astype(np.float64), grid, order=order, mode="nearest").astype(np.float32)

    for case, target in (("fine", (0.9, 0.6, 0.8)), ("coarse", (2.7, 2.0, 3.3))):  # from a spacing of 2, 1, 1.5 mm
        spacing = (2.0, 1.0, 1.5)
        counts = [int(np.round((n - 1) * s / t + 1)) for n, s, t in zip(source.shape, spacing, target)]
        positions = [np.arange(c) * t / s for c, s, t in zip(counts, spacing, target)]
        out[f"scipy.cubic.{case}"] = sample(positions, 3)
        out[f"scipy.linear.{case}"] = sample(positions, 1)
    size = (20, 7, 25)
    halves = [(np.arange(m) + 0.5) * n / m - 0.5 for n, m in zip(source.shape, size)]
    out["scipy.cubic.resize"] = sample(halves, 3)
    return out


def itk_cases(rng):
    # SimpleITK mirrors where we repeat the edge: with a flat border both are the same.
    source = smooth(rng, (8, 11, 9), 300)
    bordered = np.pad(smooth(rng, (4, 6, 5), 300), ((8, 8), (8, 8), (8, 8))) + np.float32(20)
    image = itk_image(bordered, (1.5, 1.0, 4.0), rotation((0.15, -0.2, 0.1)), (-30, 12, 55))
    out = {"itk.in": bordered, "itk.in.grid": itk_grid(image)}

    target = sitk.Image([25, 15, 41], sitk.sitkFloat32)
    target.SetSpacing([1.25, 1.4, 1.9])
    target.SetDirection(image.GetDirection())
    target.SetOrigin(image.GetOrigin())
    for name, filter in (("cubic", sitk.sitkBSpline), ("linear", sitk.sitkLinear)):
        result = sitk.Resample(image, target, sitk.Transform(), filter, 0.0)
        out[f"itk.{name}"] = sitk.GetArrayFromImage(result)[12:29, 4:12, 7:20]
    out["itk.grid"] = itk_grid(target)

    # The published rule: SimpleITK's RPI, then the axis of largest spacing first.
    axes = np.eye(3)
    for name, order, spacing in (("axial", (0, 1, 2), (1, 1.2, 5)), ("coronal", (0, 2, 1), (1, 1.2, 5)), ("sagittal", (1, 2, 0), (1, 1.2, 5))):
        direction = rotation((0.1, 0.2, -0.15)) @ axes[:, order] @ np.diag([1, -1, 1])
        image = itk_image(source, spacing, direction, (3, -7, 20))
        out["own_plane.in"] = source
        turned = sitk.DICOMOrient(image, "RPI")
        array, spacing_zyx, grid = sitk.GetArrayFromImage(turned), np.array(turned.GetSpacing())[::-1], itk_grid(turned)
        first = int(np.argmax(spacing_zyx))
        order = [first] + [a for a in range(3) if a != first]
        out[f"own_plane.{name}.in.grid"] = itk_grid(image)
        out[f"own_plane.{name}"] = np.ascontiguousarray(array.transpose(order))
        out[f"own_plane.{name}.grid"] = np.concatenate([grid[:1], grid[1:][order]])
    return out


def tilt_cases(rng):
    """A gantry's shear, straightened by SimpleITK on the grid that keeps all rows; and uneven slices, by NumPy."""
    source = smooth(rng, (6, 16, 8), 300) + 500
    tilt = np.tan(np.deg2rad(18.5))
    direction = np.array([[1, 0, 0], [0, 1, tilt], [0, 0, 1.0]])  # columns x, y, z: each slice further back
    image = itk_image(source, (1.0, 1.0, 3.0), direction, (5, -9, 40))
    added = int(np.ceil(5 * 3 * tilt - 1e-6))
    target = sitk.Image([8, 16 + added, 6], sitk.sitkFloat32)
    target.SetSpacing([1.0, 1.0, 3.0])
    target.SetOrigin([5, -9, 40])
    result = sitk.GetArrayFromImage(sitk.Resample(image, target, sitk.Transform(), sitk.sitkLinear, -1e6))
    out = {"tilt.in": source, "tilt.in.grid": itk_grid(image), "tilt.out": result, "tilt.grid": itk_grid(target)}

    places = np.array([0, 4.0, 8.1, 9.2, 16.2, 20.2, 24.3])
    stack = smooth(rng, (7, 4, 5), 300)
    even = np.arange(int(np.round(places[-1] / 4.0)) + 1) * 4.0  # 4 is the lower median of the gaps
    resampled = np.empty((len(even), 4, 5), np.float32)
    for h in range(4):
        for w in range(5):
            resampled[:, h, w] = np.interp(even, places, stack[:, h, w])
    return out | {"uneven.in": stack, "uneven.places": places, "uneven.out": resampled}


def percentile_cases(rng):
    gaps = rng.standard_normal(999).astype(np.float32) * 1e3
    counts = np.maximum(rng.integers(-60, 200, 1001), 0).astype(np.float32)
    negative = -np.abs(rng.standard_normal(10)).astype(np.float32)
    out, asked = {}, np.array([[0.5, 99.5], [0, 99], [2, 50], [0, 100]])
    for name, sample in (("gaps", gaps), ("counts", counts), ("negative", negative)):
        out[f"percentile.{name}.in"] = sample
        out[f"percentile.{name}.out"] = np.array([[np.percentile(sample.astype(np.float64), q) for q in pair] for pair in asked])
    return out | {"percentile.asked": asked}


def synthetic_head(shape):
    d, h, w = np.meshgrid(*[(np.arange(n) + 0.5) / n * 2 - 1 for n in shape], indexing="ij")
    radius = np.sqrt(d**2 + (h * 1.15) ** 2 + (w * 1.3) ** 2)
    brain = 35 + 12 * np.sin(9 * d) * np.cos(11 * h) + 15 * np.cos(7 * w)
    skull = 700 / (1 + np.exp(-40 * (radius - 0.8)))
    return np.where(radius < 0.95, brain + skull, -1000 + 5 * np.cos(20 * w)).astype(np.float32)


def published_cases():
    """The published preprocessing on a small head, with small targets."""
    head = synthetic_head((13, 26, 22))
    out = {"head": head}

    # Brain MRI (HLIP): percentiles, square, bilinear in the plane, nearest-exact along D, centre crop.
    low, high = np.percentile(head, 0.5), np.percentile(head, 99.5)
    unit = np.clip(head, low, high)
    unit = ((unit - unit.min()) / (unit.max() - unit.min() + 1e-8)).astype(np.float32)
    image = torch.from_numpy(unit)[None]
    pad = head.shape[1] - head.shape[2]
    image = F.pad(image, (pad // 2, pad - pad // 2, 0, 0))
    image = F.interpolate(image, size=(24, 24), mode="bilinear")
    image = F.interpolate(image[None], size=(18, 24, 24), mode="nearest-exact")[0]
    out["published.brain_mri"] = image[0, :, 2:22, 2:22].numpy()

    # Chest CT (HLIP): spacing 5 × 2 × 2 mm to 3 × 1 × 1 mm, window, centre pad and crop; or resize.
    part = np.ascontiguousarray(head[:, ::2, ::2])
    size = (int(13 * 5 / 3), int(13 * 2 / 1), int(11 * 2 / 1))
    volume = torch.from_numpy(torch_resize(part, size, "trilinear"))
    unit = torch.clip((volume + 1150) / (350 + 1150), 0, 1)
    target = (24, 16, 23)
    pads = [max(t - n, 0) for t, n in zip(target, unit.shape)]
    padded = F.pad(unit, sum([[p // 2, p - p // 2] for p in reversed(pads)], []))
    starts = [(n - t) // 2 for n, t in zip(padded.shape, target)]
    out["chest"] = part
    out["published.chest_ct"] = padded[tuple(slice(s, s + t) for s, t in zip(starts, target))].numpy()
    out["published.chest_ct_resize"] = F.interpolate(unit[None, None], size=target, mode="trilinear")[0, 0].numpy()

    # HeadCT-Foundation (MONAI): RAS, 1 mm cubic, HU > 0, three windows, area. Its arrays are [x, y, z].
    affine = np.zeros((4, 4))
    affine[:3, :3] = np.array([[0, 0, -2.0], [0, -2.0, 0], [5.0, 0, 0]])  # D upwards, H to the back, W to the left
    affine[:3, 3], affine[3, 3] = (20, 30, -15), 1
    chain = transforms.Compose([
        transforms.Orientation(axcodes="RAS"),
        transforms.Spacing(pixdim=(1.0, 1.0, 1.0), mode=3),
        transforms.CropForeground(select_fn=lambda x: x > 0, allow_smaller=False),
    ])
    cropped = chain(monai.data.MetaTensor(torch.from_numpy(head)[None], affine=torch.from_numpy(affine)))
    channels = [transforms.ScaleIntensityRange(c - w // 2, c + w // 2, 0.0, 1.0, clip=True)(cropped) for c, w in ((40, 80), (80, 200), (600, 2800))]
    resized = transforms.Resize(spatial_size=(12, 12, 12))(torch.cat([c.as_tensor() for c in channels]))
    out["published.head_ct_foundation"] = np.asarray(resized, np.float32)
    out["published.head_ct_foundation.cropped"] = np.array(cropped.shape[1:], np.float32)
    out["head.grid"] = np.stack([affine[:3, 3], *affine[:3, :3].T])
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DATA, help="folder to write into")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(5)
    arrays = torch_cases(rng) | scipy_cases(rng) | itk_cases(rng) | tilt_cases(rng) | percentile_cases(rng) | published_cases()
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    versions = {"scipy": scipy.__version__, "SimpleITK": sitk.Version().VersionString(), "monai": monai.__version__, "numpy": np.__version__}
    values.save(options.out / "geometry.safetensors", tensors, versions)


if __name__ == "__main__":
    main()
