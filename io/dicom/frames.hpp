// SPDX-License-Identifier: Apache-2.0
//
// Where the images of a file lie: one frame, the functional groups of Enhanced objects (PS3.3 C.7.6.16), the tiles of a
// mosaic.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include "io/dicom/classify.hpp"
#include "io/dicom/record.hpp"

namespace strata::io::dicom {

// All of them fill record.frames, rows, columns; record.pixels, tags and image_type are known before.
Verdict read_frames(DcmItem& item, FileRecord& record);
bool is_mosaic(DcmItem& item, const FileRecord& record);
Verdict read_mosaic(DcmItem& item, FileRecord& record);

// Orientation, spacing, slope and what tells stacks apart, of a frame whose groups are `item`; the position too if
// `with_position`.
Verdict read_plane(DcmItem& item, const FileRecord& record, Frame& frame, bool with_position);
// Whether the numbers are a plane. Directions that were rounded are made orthonormal again: along rows as it is.
Verdict settle_plane(Frame& frame);

}  // namespace strata::io::dicom
