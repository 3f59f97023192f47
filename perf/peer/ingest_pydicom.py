#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The work of `strata ingest head_ct` as it is usually written: pydicom reads and decodes, NumPy and PyTorch bring the
volume to the grid. One process, one thread: compare a core with a core.

    pip install pydicom numpy torch h5py
    strata phantom --to /tmp/phantoms --studies 12 --matrix 512
    python perf/peer/ingest_pydicom.py /tmp/phantoms/dicom --json peer.json
    strata ingest head_ct --from /tmp/phantoms/dicom --to /tmp/set          # prints studies a second

What it leaves out and strata ingest does: gaps and tilts, duplicates, pseudonyms, checksums, a report, an order of
studies that does not depend on the file system, writing by many ranks. Voxels are written to one .npy a study.
--compare SET reads the shards too and prints how far the voxels are apart (both sides sorted by their sums).
"""

import argparse
import json
import os
import time
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pydicom  # noqa: E402
import torch  # noqa: E402

WINDOWS = [(40, 80), (80, 200), (600, 2800)]


def index(root):
    """Series by study, from headers alone; what is no axial CT image is passed over."""
    studies = defaultdict(lambda: defaultdict(list))
    for path in sorted(p for p in Path(root).rglob("*") if p.is_file()):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except pydicom.errors.InvalidDicomError:
            continue
        if header.get("Modality") != "CT" or "ImagePositionPatient" not in header or "LOCALIZER" in header.get("ImageType", []):
            continue
        studies[header.StudyInstanceUID][header.SeriesInstanceUID].append(path)
    return studies


def read_series(paths):
    """[D, H, W] in HU, slices from the feet up."""
    slices = [pydicom.dcmread(path) for path in paths]
    unique = {s.SOPInstanceUID: s for s in slices}
    orientation = np.array(slices[0].ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    slices = sorted(unique.values(), key=lambda s: float(np.dot(normal, np.array(s.ImagePositionPatient, float))))
    return np.stack([s.pixel_array.astype(np.float32) * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in slices])


def prepare(volume):
    """The steps of configs/data/head_ct.yaml for an axial stack: three windows, u8 [3, 48, 224, 224]."""
    d, h, w = volume.shape
    side = max(h, w)
    volume = np.ascontiguousarray(volume[::-1, :, ::-1])  # IPR: slices down, rows to the back, columns to the right
    scans = []
    for center, width in WINDOWS:
        x = np.clip((volume - (center - width / 2)) / width, 0, 1)
        top, left = (side - h) // 2, (side - w) // 2
        x = np.pad(x, ((0, 0), (top, side - h - top), (left, side - w - left)))
        x = torch.from_numpy(x)[:, None]
        x = torch.nn.functional.interpolate(x, size=(256, 256), mode="bilinear", align_corners=False)[:, 0]
        x = torch.nn.functional.interpolate(x[None, None], size=(48, 256, 256), mode="nearest-exact")[0, 0]
        x = x[:, 16:240, 16:240]
        scans.append((x * 255 + 0.5).to(torch.uint8).numpy())
    return np.stack(scans)


def compare(ours, folder):
    import h5py

    theirs = []
    for shard in sorted(Path(folder).glob("shard-*.h5")):
        with h5py.File(shard) as file:
            theirs += list(file["voxels"][:, 0])
    key = lambda scan: int(scan.sum(dtype=np.int64))  # noqa: E731
    ours, theirs = sorted(ours, key=key), sorted(theirs, key=key)
    if len(ours) != len(theirs):
        return {"scans": len(ours), "scans_in_set": len(theirs)}
    apart = [np.abs(a.astype(np.int16) - b.astype(np.int16)) for a, b in zip(ours, theirs)]
    return {"scans": len(ours), "largest_difference": int(max(x.max() for x in apart)),
            "share_of_voxels_that_differ": float(np.mean([(x > 0).mean() for x in apart]))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--compare", metavar="SET", help="a set that strata ingest made of the same folder with head_ct")
    parser.add_argument("--to", default="/tmp/ingest_pydicom.npy")
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    begin = time.perf_counter()
    studies = index(options.folder)
    headers = time.perf_counter() - begin
    kept, slices = [], 0
    begin = time.perf_counter()
    for series in studies.values():
        scans = []
        for paths in series.values():
            if len(paths) < 5:
                continue
            volume = read_series(paths)
            slices += len(volume)
            scans += list(prepare(volume))
        np.save(options.to, np.stack(scans))
        if options.compare:
            kept += scans
    seconds = time.perf_counter() - begin
    result = {"studies": len(studies), "slices": slices, "header_seconds": headers, "study_seconds": seconds,
              "studies_per_second": len(studies) / (headers + seconds)}
    if options.compare:
        result["compare"] = compare(kept, options.compare)
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        Path(options.json).write_text(text + "\n")


if __name__ == "__main__":
    main()
