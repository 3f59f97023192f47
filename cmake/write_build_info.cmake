# SPDX-License-Identifier: Apache-2.0
# Run by the target strata_build_info_header (cmake/build_info.cmake).
execute_process(
  COMMAND git -C "${SOURCE}" describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE commit
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
  RESULT_VARIABLE failed)
if(failed)
  set(commit "unknown")
endif()
set(text "// SPDX-License-Identifier: Apache-2.0\n// Written by cmake/write_build_info.cmake.\n#pragma once\n\n#include <string_view>\n\n")
string(APPEND text "namespace strata::build_info {\n")
foreach(pair kVersion=VERSION kBuildType=BUILD_TYPE kCompiler=COMPILER kSanitizer=SANITIZER kOneDnn=ONEDNN kMpi=MPI kOpenMp=OPENMP kSystem=SYSTEM kCommit=commit)
  string(REPLACE "=" ";" pair "${pair}")
  list(GET pair 0 name)
  list(GET pair 1 variable)
  string(APPEND text "inline constexpr std::string_view ${name} = \"${${variable}}\";\n")
endforeach()
string(APPEND text "}  // namespace strata::build_info\n")
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "${text}" @ONLY)
