#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/data/dicom_volumes.json: what pydicom makes of the real DICOM files, volume by volume.

    pip install pydicom numpy nibabel pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg pylibjpeg-rle
    python tools/make_dicom_golden.py DATA_DIR [--dcm2niix PROGRAM]

A volume is its images sorted by position along the normal, rescaled in double precision and rounded to single: the file keeps a checksum of those
values, the matrix and the positions (RAS), not one voxel. Mosaics of Siemens are unfolded by nibabel. With --dcm2niix the same folders are converted by
that program too, and each volume says whether it holds the same values.
"""

import argparse
import itertools
import json
import subprocess
import tempfile
import warnings
import zlib
from collections import defaultdict
from pathlib import Path

import nibabel
import numpy as np
import pydicom

warnings.simplefilter("ignore")  # nibabel calls its readers experimental, pydicom finds fault with the files
from nibabel.nicom import dicomwrappers  # noqa: E402

OUT = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data" / "dicom_volumes.json"
FOLDERS = ["ct_ge_head", "ct_philips_plainhead", "mr_uih_brain/t1_gre_fsp_3d_sag", "mr_uih_brain/dti_tra_dir16", "ts_siemens_9syntaxes",
           "geom_d2n_shared/anatomical/001", "geom_d2n_shared/anatomical/001_implicit", "geom_d2n_shared/failing/gantrytilting",
           "geom_d2n_shared/failing/notavolume", "geom_d2n_shared/ge", "geom_d2n_shared/generic", "geom_d2n_shared/philips",
           "geom_d2n_shared/siemens", "geom_d2n_shared/siemens_multiframe", "robust_pydicom"]
RAS = np.array([-1.0, -1.0, 1.0])


def images_of(path):
    """Images of one file as dictionaries, or nothing: what has no pixels, no place in the patient, or is none of CT and MR."""
    try:
        item = pydicom.dcmread(path)
    except pydicom.errors.InvalidDicomError:
        return
    if "PixelData" not in item or item.get("SamplesPerPixel", 1) != 1 or item.get("Modality") not in ("CT", "MR"):
        return
    if item.SOPClassUID.startswith("1.2.840.10008.5.1.4.1.1.7"):
        return
    if "LOCALIZER" in item.get("ImageType", []) or "localizer" in item.get("SeriesDescription", "").lower():
        return
    common = {"study": item.StudyInstanceUID, "series": (int(item.get("SeriesNumber") or 0), item.SeriesInstanceUID),
              "instance": int(item.get("InstanceNumber") or 0), "uid": item.SOPInstanceUID, "b": 0.0}
    try:
        stored = stored_values(item)
    except Exception as error:  # a truncated file: the engine must say so too
        print(f"{path}: {error}")
        return
    if "PerFrameFunctionalGroupsSequence" in item:
        yield from enhanced(item, stored, common)
    elif "MOSAIC" in item.get("ImageType", []):
        yield from siemens_mosaic(item, stored, common)
    elif (0x0065, 0x1051) in item:
        yield from uih_mosaic(item, stored, common)
    elif "ImagePositionPatient" in item:
        yield image(item, item, item, item, stored, common)


def stored_values(item):
    cells = item.pixel_array.astype(np.int64)
    bits = item.BitsStored
    cells = (cells >> (item.HighBit + 1 - bits)) & ((1 << bits) - 1)
    return cells - ((cells >> (bits - 1)) << bits) if item.PixelRepresentation else cells


def image(position, orientation, measures, rescale, stored, common, **more):
    slope, intercept = float(rescale.get("RescaleSlope", 1)), float(rescale.get("RescaleIntercept", 0))
    directions = np.array(orientation.ImageOrientationPatient, float).reshape(2, 3) * RAS
    return common | {"position": np.array(position.ImagePositionPatient, float) * RAS, "directions": directions,
                     "spacing": [float(x) for x in measures.PixelSpacing], "values": (stored * slope + intercept).astype(np.float32)} | more


def enhanced(item, stored, common):
    shared = item.get("SharedFunctionalGroupsSequence", [pydicom.Dataset()])[0]
    for index, frame in enumerate(item.PerFrameFunctionalGroupsSequence):
        group = lambda name: (frame if name in frame else shared)[name][0]
        rescale = group("PixelValueTransformationSequence") if any("PixelValueTransformationSequence" in g for g in (frame, shared)) else item
        yield image(group("PlanePositionSequence"), group("PlaneOrientationSequence"), group("PixelMeasuresSequence"), rescale, stored[index], common)


def siemens_mosaic(item, stored, common):
    wrapped = dicomwrappers.wrapper_from_data(item)
    volume, affine = wrapped.get_unscaled_data(), np.diag([-1.0, -1.0, 1.0, 1.0]) @ wrapped.affine  # [rows, columns, slices]
    unit = image(item, item, item, item, stored[:1], common)
    for index in range(volume.shape[2]):
        values = volume[:, :, index].astype(np.float32)
        yield unit | {"position": (affine @ [0, 0, index, 1])[:3], "values": values}


def uih_mosaic(item, stored, common):
    frames = item[0x0065, 0x1051].value
    across = int(np.ceil(np.sqrt(len(frames))))
    down = -(-len(frames) // across)
    rows, columns = item.Rows // down, item.Columns // across
    common = common | {"b": float(item[0x0065, 0x1009].value)}
    for index, frame in enumerate(frames):
        top, left = index // across * rows, index % across * columns
        yield image(frame, item, item, item, stored[top : top + rows, left : left + columns], common)


def volumes_of(folder):
    stacks, seen = defaultdict(list), set()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        for one in images_of(path):
            place = (one["uid"], *one["position"])
            if place in seen:
                continue
            seen.add(place)
            stacks[(one["study"], one["series"], one["values"].shape, tuple(np.round(one["directions"].ravel(), 3)), round(one["b"]))].append(one)
    for (_, series, _, _, _), images in sorted(stacks.items(), key=lambda stack: str(stack[0])):
        for volume in split(images):
            yield series[0], volume


def split(images):
    """By repetitions of a position, in the order of instance numbers; all images at one position are no volume."""
    normal = np.cross(*images[0]["directions"])
    places = defaultdict(list)
    for one in sorted(images, key=lambda i: i["instance"]):
        places[round(float(one["position"] @ normal), 2)].append(one)
    if len(places) == 1 and len(images) > 1:
        return
    ordered = [places[place] for place in sorted(places)]
    for rank in range(min(len(place) for place in ordered)):
        yield [place[rank] for place in ordered]


def describe(folder, number, volume):
    values = np.stack([one["values"] for one in volume])
    first = volume[0]
    return {"folder": folder, "series_number": number, "shape": list(values.shape), "crc32": zlib.crc32(values.tobytes()),
            "least": float(values.min()), "largest": float(values.max()), "spacing": first["spacing"],
            "row": first["directions"][0].tolist(), "column": first["directions"][1].tolist(),
            "positions": [one["position"].tolist() for one in volume]}, values


def converted(program, folder):
    """All 3-D volumes of dcm2niix as [slices, rows, columns] in the scanner's own order of rows, with their spacing."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([program, "-z", "n", "-b", "n", "-x", "n", "-f", "%j_%s_%p", "-o", out, str(folder)], stdout=subprocess.DEVNULL, check=False)
        for path in sorted(Path(out).rglob("*.nii")):
            data = np.asarray(nibabel.load(path).dataobj)
            if data.dtype.names:  # colours
                continue
            data = data.astype(np.float32)
            for volume in data.reshape(*data.shape[:3], -1).transpose(3, 2, 1, 0):
                yield volume[:, ::-1]  # dcm2niix turns rows over


def agrees(values, volumes):
    """Whether one of them holds the same values with any order and direction of axes: dcm2niix turns sagittal 3-D scans."""
    for volume in volumes:
        for axes in itertools.permutations(range(3)):
            if tuple(volume.shape[axis] for axis in axes) != values.shape:
                continue
            turned = volume.transpose(axes)
            if any(np.array_equal(turned[flips], values) for flips in itertools.product((slice(None), slice(None, None, -1)), repeat=3)):
                return True
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the real data sets")
    parser.add_argument("--dcm2niix", help="this program, to compare with")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    entries = []
    for folder in FOLDERS:
        others = list(converted(options.dcm2niix, options.data / folder)) if options.dcm2niix else []
        for number, volume in volumes_of(options.data / folder):
            entry, values = describe(folder, number, volume)
            entry["dcm2niix"] = agrees(values, others)
            print(folder, number, entry["shape"], entry["least"], entry["largest"], "dcm2niix agrees" if entry["dcm2niix"] else "")
            entries.append(entry)
    versions = {"pydicom": pydicom.__version__, "numpy": np.__version__, "nibabel": nibabel.__version__}
    options.out.write_text(json.dumps({"versions": versions, "volumes": entries}) + "\n")


if __name__ == "__main__":
    main()
