// SPDX-License-Identifier: Apache-2.0
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>

#include <mutex>

#include "io/dicom/dicom.hpp"
#include "strata/base/error.hpp"

namespace strata::io::dicom {

void register_codecs() {
  static std::once_flag once;
  std::call_once(once, [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    STRATA_CHECK(dcmDataDict.isDictionaryLoaded(), environment, "dicom", "DCMTK finds no data dictionary",
                 "install the package dcmtk's libraries come with, or let DCMDICTPATH name dicom.dic");
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
  });
}

}  // namespace strata::io::dicom
