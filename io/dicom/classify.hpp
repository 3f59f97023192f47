// SPDX-License-Identifier: Apache-2.0
//
// What kind of object a header describes: the reasons that SOP class, modality, image type and pixel format give.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <string>
#include <string_view>

#include "io/dicom/record.hpp"

namespace strata::io::dicom {

struct Verdict {
  Reason reason = Reason::none;
  std::string detail;
};

// From the SOP class alone: documents, screens, plans, ...
Verdict judge_class(std::string_view sop_class_uid, const std::string& modality);
// Whether pixel data of this syntax can be decoded.
Verdict judge_syntax(E_TransferSyntax syntax, std::string_view uid);
// Bits, samples and photometric interpretation; fills `pixels` (but native_offset).
Verdict judge_pixels(DcmItem& item, const std::string& modality, PixelLayout& pixels);
// Localizers, dose and screen pages that are stored as ordinary images.
Verdict judge_kind(const std::string& image_type, const study::ScanTags& tags);

}  // namespace strata::io::dicom
