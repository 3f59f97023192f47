// SPDX-License-Identifier: Apache-2.0
//
// Values of a DCMTK item as plain ones. Absent, empty or nonsensical values are nothing, never an error; numbers may be
// stored as text or binary whatever the dictionary says. Texts come trimmed and in UTF-8.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "strata/study/volume.hpp"

namespace strata::io::dicom {

std::string text_of(DcmItem& item, const DcmTagKey& tag);  // all values, separated by backslashes
std::optional<double> number_of(DcmItem& item, const DcmTagKey& tag, unsigned long index = 0);  // finite
std::int32_t integer_of(DcmItem& item, const DcmTagKey& tag, std::int32_t otherwise = 0);       // rounded, if it fits
std::optional<study::Vec3> vector_of(DcmItem& item, const DcmTagKey& tag, unsigned long first = 0);

// An element of a private group that `creator` has reserved a block of; 0xXX of (gggg,bbXX).
DcmElement* private_element(DcmItem& item, std::uint16_t group, std::string_view creator, std::uint16_t low);
// As text or, of 2, 4 or 8 bytes without a known type, as u16, f32, f64.
std::optional<double> private_number(DcmItem& item, std::uint16_t group, std::string_view creator, std::uint16_t low,
                                     unsigned long index = 0);

DcmSequenceOfItems* sequence_of(DcmItem& item, const DcmTagKey& tag);
DcmItem* first_item_of(DcmItem& item, const DcmTagKey& tag);

std::uint64_t hash_of(std::string_view text);  // FNV-1a; 0 for an empty text

}  // namespace strata::io::dicom
