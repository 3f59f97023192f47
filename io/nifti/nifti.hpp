// SPDX-License-Identifier: Apache-2.0
//
// NIfTI-1 and NIfTI-2 files (https://nifti.nimh.nih.gov), .nii and .nii.gz, either byte order, as volumes with their
// place in the patient. For image files and label maps that come as NIfTI; DICOM is read by io/dicom. Pairs of .hdr and
// .img, ANALYZE 7.5, colour, complex and 128-bit voxels are refused with a reason. Content decides, never the name.
//
// The header's words are turned and its quaternion is made a matrix by the NIfTI library. Bytes are read here, since
// that library trusts what a header announces: here every extent is judged against the size of the file before memory
// is asked for. One pass; memory is that of the voxels in f32 and 1 MiB.
//
// A file's first index runs fastest: x, y, z of the file are W, H, D of the volume. Whatever may surprise a reader of
// the volume stands in `notes`, one sentence each, with no word out of the file, so that a report may hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "strata/study/volume.hpp"

namespace strata::io {

enum class FourD {
  refuse,  // data error
  split,   // each index of the fourth dimension is a volume
};

struct NiftiOptions {
  FourD four_d = FourD::refuse;
  std::int64_t largest_voxels = std::int64_t{1} << 31;  // of all volumes together; more: data error
};

// Where the affine comes from, the best first. `spacing`: the file states neither form, only voxel sizes; the volume
// then lies with its axes along RAS+ and its first voxel in the origin, and which side is left is not known.
enum class AffineSource { sform, qform, spacing };

struct NiftiImage {
  std::vector<study::Volume> volumes;  // one; of a split 4-D file as many as its fourth extent
  AffineSource affine = AffineSource::spacing;
  int version = 1;   // 1 or 2
  std::string type;  // of the stored voxels: "uint8" ... "float64"
  std::vector<std::string> notes;
};

// Voxels are stored·scl_slope + scl_inter, computed in f64 and rounded to f32. Voxels that are NaN or infinite get a
// value below all others, which becomes the volume's padding (study::fill_unmeasured). A broken file: data error.
NiftiImage read_nifti(const std::string& path, const NiftiOptions& options = {});
NiftiImage read_nifti(std::span<const std::byte> bytes, const std::string& name, const NiftiOptions& options = {});

// A volume whose voxels are whole numbers that f32 holds exactly (|v| ≤ 2^24). It may lie on another grid than the
// image it belongs to: bring it there with the nearest neighbour. Voxels that are no such number: data error.
struct LabelMap {
  study::Volume volume;
  std::vector<std::int64_t> labels;  // that occur, ascending; with 0
  std::vector<std::string> notes;
};

LabelMap read_nifti_labels(const std::string& path, const NiftiOptions& options = {});
LabelMap read_nifti_labels(std::span<const std::byte> bytes, const std::string& name, const NiftiOptions& options = {});

// Whether the file begins as a NIfTI file does, compressed or not; reads less than 64 KiB and judges nothing else.
bool is_nifti(const std::string& path);

}  // namespace strata::io
