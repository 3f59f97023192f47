// SPDX-License-Identifier: Apache-2.0
//
// What fuzzers feed: arbitrary bytes through a reader. A target returns whether the bytes were accepted and throws
// std::logic_error (a crash for libFuzzer, a failure for GoogleTest) when the reader breaks a promise: an error of
// another kind than data, an error text without bound, or an accepted file that does not survive writing and reading.
// Memory errors are the sanitizers' to find.
#pragma once

#include <cstddef>
#include <span>

namespace strata::fuzz {

bool fuzz_safetensors(std::span<const std::byte> bytes);         // as a whole file
bool fuzz_safetensors_header(std::span<const std::byte> bytes);  // bytes of data to follow (one byte), then the JSON
                                                                 // text; the length is put right
bool fuzz_npy(std::span<const std::byte> bytes);                 // as a whole file: array and volume

bool fuzz_nifti(std::span<const std::byte> bytes);  // as a whole file: image, split in four dimensions, and labels
bool fuzz_nifti_header(std::span<const std::byte> bytes);  // as the head of a file; voxels follow

// Tables read, written, read again, and joined with studies. JSON Lines: behind a line of their own.
bool fuzz_csv(std::span<const std::byte> bytes);
bool fuzz_json_lines(std::span<const std::byte> bytes);

// One file beside whole slices of the series it may belong to: header, plan, pixels. Nothing but read_stack may throw.
bool fuzz_dicom(std::span<const std::byte> bytes);
bool fuzz_dicom_records(std::span<const std::byte> bytes);  // as what one rank sends another

bool fuzz_shard(std::span<const std::byte> bytes);         // as a whole shard: header, checksum, tables
bool fuzz_shard_header(std::span<const std::byte> bytes);  // as the header before a whole shard's tables and voxels

bool fuzz_checkpoint(std::span<const std::byte> bytes);         // as a whole checkpoint: header, checksum, tables
bool fuzz_checkpoint_header(std::span<const std::byte> bytes);  // as the header before a whole one's tables
bool fuzz_checkpoint_tables(
    std::span<const std::byte> bytes);  // as the tables, of unchanged length, checksum put right

}  // namespace strata::fuzz
