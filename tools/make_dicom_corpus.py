#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The small DICOM files that fuzzing starts from: tests/fuzz/corpus/dicom and, five slices of one series, dicom_series beside it.

    pip install 'pydicom>=3' numpy pylibjpeg pylibjpeg-openjpeg
    apt-get install dcmtk                         # dcmcjpeg, dcmcjpls
    tools/make_dicom_corpus.py [--out FOLDER]     # FOLDER stands for tests/fuzz

Images of 8 x 8 made of a formula, in every encoding that io/dicom reads: nothing of a patient or a scanner is in them.
"""

import argparse
import struct
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian,
                         ImplicitVRLittleEndian, JPEG2000Lossless, MRImageStorage, RLELossless)

ROOT = "1.2.826.0.1.3680043.10.999."  # of no organisation: these files go nowhere
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
ROWS = 8


def pixels(number, dtype=np.int16, rows=ROWS):
    y, x = np.mgrid[0:rows, 0:rows]
    return ((x * 17 + y * 31 + number * 7) % 256 - (40 if np.dtype(dtype).kind == "i" else 0)).astype(dtype)


def base(sop_class, number, series):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = f"{ROOT}{series}.{number}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = ROOT + "1"
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID = ROOT + "2"
    ds.SeriesInstanceUID = f"{ROOT}{series}"
    ds.FrameOfReferenceUID = ROOT + "3"
    ds.PatientID = ds.AccessionNumber = ds.StudyDescription = ""
    ds.SeriesNumber = series
    ds.InstanceNumber = number
    return ds


def set_pixels(ds, array, signed):
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = array.shape[-2:]
    ds.BitsAllocated = array.dtype.itemsize * 8
    ds.BitsStored = ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(signed)
    if array.ndim == 3:
        ds.NumberOfFrames = array.shape[0]
    ds.PixelData = array.tobytes()
    ds["PixelData"].VR = "OB" if ds.BitsAllocated == 8 else "OW"


def ct(number, series=10, dtype=np.int16, rows=ROWS):
    ds = base(CTImageStorage, number, series)
    ds.Modality = "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImagePositionPatient = [-4, -4, number * 5.0]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.5, 0.5]
    ds.SliceThickness = 5
    ds.RescaleSlope, ds.RescaleIntercept, ds.KVP = 1, -1024, 120
    ds.ConvolutionKernel = "H30"
    set_pixels(ds, pixels(number, dtype, rows), np.dtype(dtype).kind == "i")
    return ds


def frame_item(z):
    item, position, orientation, value = Dataset(), Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [-4, -4, z]
    item.PlanePositionSequence = Sequence([position])
    content = Dataset()
    content.StackID, content.InStackPositionNumber, content.DimensionIndexValues = "1", int(z) + 1, [1]
    item.FrameContentSequence = Sequence([content])
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    item.PlaneOrientationSequence = Sequence([orientation])
    value.RescaleSlope, value.RescaleIntercept, value.RescaleType = 1, -1000 - z, "HU"
    item.PixelValueTransformationSequence = Sequence([value])
    return item


def enhanced():
    ds = base(ENHANCED_CT, 1, 20)
    ds.Modality = "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared, measures, kind = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.5], 1
    shared.PixelMeasuresSequence = Sequence([measures])
    kind.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared.CTImageFrameTypeSequence = Sequence([kind])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence([frame_item(float(z)) for z in (2, 0, 1, 3, 4, 6)])
    set_pixels(ds, np.stack([pixels(n) for n in range(6)]), True)
    return ds


def csa_header(tags):
    """Siemens' private header, second format: 'SV10', then elements of name, VR and items."""
    out = b"SV10\4\3\2\1" + struct.pack("<II", len(tags), 77)
    for name, vr, values in tags:
        out += name.encode().ljust(64, b"\0") + struct.pack("<i4siii", len(values), vr.encode() + b"\0\0", 0, 6, 77)
        for value in values:
            text = value.encode() + b"\0"
            out += struct.pack("<4i", len(text), len(text), 77, len(text)) + text.ljust(-(-len(text) // 4) * 4, b"\0")
    return out


def mosaic():
    ds = base(MRImageStorage, 1, 30)
    ds.Modality = "MR"
    ds.Manufacturer = "SIEMENS"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    ds.ImagePositionPatient = [-16, -16, 3]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [2, 2]
    ds.SliceThickness = ds.SpacingBetweenSlices = 4
    ds.AcquisitionMatrix = [8, 0, 0, 8]
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0A, "US", 4)
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", csa_header([("NumberOfImagesInMosaic", "US", ["4"]), ("SliceNormalVector", "FD", ["0.0", "0.0", "1.0"]),
                                          ("B_value", "IS", ["1000"])]))
    set_pixels(ds, pixels(1, np.uint16, 16), False)
    return ds


def bare(path, ds, syntax):
    """A data set without preamble and meta header."""
    pydicom.dcmwrite(path, Dataset(ds), implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True, enforce_file_format=False)


def save(path, ds, syntax=ExplicitVRLittleEndian):
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<i2").astype(">i2").tobytes()
    ds.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(path, ds, enforce_file_format=True)


def tool(program, source, target, *arguments):
    subprocess.run([program, *arguments, "--uid-never", source, target], check=True)


def compressed(folder):
    for name, syntax, rows in (("rle", RLELossless, ROWS), ("jpeg_2000", JPEG2000Lossless, 32)):  # OpenJPEG halves 32 rows five times
        ds = ct(2, rows=rows)
        ds.compress(syntax, generate_instance_uid=False)
        pydicom.dcmwrite(folder / name, ds, enforce_file_format=True)
    plain, bytes_ = folder / "explicit", folder / "eight_bits"
    tool("dcmcjpeg", plain, folder / "jpeg_lossless", "--encode-lossless-sv1")
    tool("dcmcjpls", plain, folder / "jpeg_ls")
    tool("dcmcjpeg", bytes_, folder / "jpeg_baseline", "--encode-baseline")


def corpus(folder):
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "explicit", ct(2))
    save(folder / "implicit", ct(2), ImplicitVRLittleEndian)
    save(folder / "big_endian", ct(2), ExplicitVRBigEndian)
    save(folder / "deflated", ct(2), DeflatedExplicitVRLittleEndian)
    save(folder / "eight_bits", ct(2, dtype=np.uint8))
    bare(folder / "bare_implicit", ct(2), ImplicitVRLittleEndian)
    padded = ct(2, dtype=np.uint16)
    padded.PixelPaddingValue, padded.PixelPaddingRangeLimit = 3, 9
    padded.PhotometricInterpretation, padded.BitsStored, padded.HighBit = "MONOCHROME1", 12, 11
    save(folder / "padded_monochrome1", padded)
    save(folder / "enhanced", enhanced())
    save(folder / "mosaic", mosaic())
    capture = ct(2, series=40)
    capture.SOPClassUID = capture.file_meta.MediaStorageSOPClassUID = SECONDARY_CAPTURE
    save(folder / "secondary_capture", capture)
    report = base(BASIC_TEXT_SR, 1, 50)
    report.Modality = "SR"
    save(folder / "structured_report", report)
    compressed(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "tests/fuzz")
    folder = parser.parse_args().out
    warnings.simplefilter("ignore")
    corpus(folder / "corpus/dicom")
    (folder / "corpus/dicom_series").mkdir(exist_ok=True)
    for number in (0, 1, 3, 4, 5):  # slice 2 is the one that is fuzzed
        save(folder / f"corpus/dicom_series/{number}", ct(number))


if __name__ == "__main__":
    main()
