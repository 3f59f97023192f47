#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What nibabel reads, as golden values for io/nifti: tests/golden/data/nifti.json.

    pip install nibabel numpy
    tools/make_nifti_golden.py --data FOLDER      FOLDER is that of the real files (STRATA_DATA_DIR); --out FILE to look before replacing

`written`: small files of every type, version and byte order that nibabel wrote (hex), their voxels in f32 and affine. `real`: sums of the real files' voxels.
"""

import argparse
import json
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (5, 4, 3)  # x, y, z
SHEARED = np.array([[-0.9, 0.05, 0.2, 31.5], [0.1, 1.1, -0.3, -17.25], [0.02, 0.25, 2.5, 40.0], [0, 0, 0, 1]])
REAL = [
    "nifti_colin27/ch2.nii.gz",
    "nifti_colin27/aal.nii.gz",
    "nifti_colin27/brodmann.nii.gz",
    "nifti_colin27/JHU-WhiteMatter-labels-1mm.nii.gz",
    "nifti_cranium_ct/ct.nii.gz",
    "nifti_cranium_ct/label_1tissue_2bone.nii.gz",
]


def voxels(dtype, shape, rng):
    if np.dtype(dtype).kind == "f":
        return (rng.standard_normal(shape) * 1000).astype(dtype)
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    values.flat[0], values.flat[1] = info.min, info.max
    return values


def rotation():
    """An oblique rotation whose third axis is mirrored (qfac -1), voxels 0.8 x 0.9 x 3 mm."""
    a, b = 0.3, -0.2
    first = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    second = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = first @ second @ np.diag([0.8, 0.9, -3.0])
    affine[:3, 3] = [12.5, -7.0, 3.25]
    return affine


def image(kind, dtype, endianness, rng, shape=SHAPE, form="sform", scaling=None):
    header = (nib.Nifti1Header if kind == 1 else nib.Nifti2Header)(endianness=endianness)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(endianness))
    made = (nib.Nifti1Image if kind == 1 else nib.Nifti2Image)(voxels(dtype, shape, rng), None, header)
    if form == "sform":
        made.set_sform(SHEARED, 1)
        made.set_qform(None, 0)
        made.header["pixdim"][1:4] = np.sqrt((SHEARED[:3, :3] ** 2).sum(0))
    else:
        made.set_qform(rotation(), 1)
        made.set_sform(None, 0)
    made.header.set_xyzt_units("mm")
    if scaling:
        made.header.set_slope_inter(*scaling)
    return made


def expected(made):
    """[D, H, W] or [T, D, H, W] in f32; scaled values come from nibabel in f64."""
    array = np.asanyarray(made.dataobj)
    return array.astype(np.float32).T


def case(name, made):
    content = made.to_bytes()
    back = type(made).from_bytes(content)
    values = expected(back)
    return {
        "name": name,
        "file": content.hex(),
        "version": 1 if isinstance(made, nib.Nifti1Image) and not isinstance(made, nib.Nifti2Image) else 2,
        "type": np.dtype(back.get_data_dtype()).newbyteorder("=").name,
        "shape": list(values.shape),
        "affine": back.affine.tolist(),
        "voxels": [float(v) for v in values.ravel()],
    }


def written():
    rng = np.random.default_rng(20)
    cases = []
    for dtype in ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
        cases.append(case(f"{dtype}_1_little", image(1, dtype, "<", rng)))
    for dtype in ("i2", "u4", "i8", "f4", "f8"):
        cases.append(case(f"{dtype}_1_big", image(1, dtype, ">", rng)))
    cases.append(case("i2_2_little", image(2, "i2", "<", rng)))
    cases.append(case("f4_2_big", image(2, "f4", ">", rng)))
    cases.append(case("qform", image(1, "u1", "<", rng, form="qform")))
    cases.append(case("qform_2_big", image(2, "i2", ">", rng, form="qform")))
    cases.append(case("scaled", image(1, "i2", "<", rng, scaling=(0.37, -12.25))))
    cases.append(case("scaled_2_big", image(2, "u1", ">", rng, scaling=(2.5, -1024.0))))
    cases.append(case("flat", image(1, "i2", "<", rng, shape=(5, 4))))
    cases.append(case("frames", image(1, "i2", "<", rng, shape=(3, 2, 2, 2))))
    extended = image(1, "u1", "<", rng)
    extended.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"some program's words"))
    cases.append(case("extension", extended))
    return cases


def real(folder):
    cases = []
    for name in REAL:
        loaded = nib.load(folder / name)
        values = np.asanyarray(loaded.dataobj).T
        flat = values.astype(np.int64).ravel()
        weighted = (flat.astype(np.uint64) * np.arange(1, flat.size + 1, dtype=np.uint64)).sum(dtype=np.uint64)
        cases.append({
            "name": name,
            "shape": list(values.shape),
            "type": loaded.get_data_dtype().name,
            "affine": loaded.affine.tolist(),
            "minimum": int(flat.min()),
            "maximum": int(flat.max()),
            "sum": int(flat.sum()),
            "weighted_sum": int(weighted),
            "distinct": int(np.unique(flat).size),
        })
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "tests/golden/data/nifti.json")
    options = parser.parse_args()
    golden = {"nibabel": nib.__version__, "written": written(), "real": real(options.data)}
    cases = ",\n".join(json.dumps(c) for c in golden["written"])
    reals = ",\n".join(json.dumps(c) for c in golden["real"])
    options.out.write_text(f'{{"nibabel": "{golden["nibabel"]}",\n"written": [\n{cases}\n],\n"real": [\n{reals}\n]}}\n')
    print(f"{options.out}: {len(golden['written'])} written files, {len(golden['real'])} real ones")


if __name__ == "__main__":
    main()
