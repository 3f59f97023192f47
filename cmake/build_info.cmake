# SPDX-License-Identifier: Apache-2.0
# strata_build_info: what `strata info` says about this build, as constants in <build>/generated/build_info.hpp. The commit is asked for at every
# build, and the header rewritten only when something changed.
add_custom_target(
  strata_build_info_header
  COMMAND
    "${CMAKE_COMMAND}" -D "SOURCE=${PROJECT_SOURCE_DIR}" -D "OUTPUT=${PROJECT_BINARY_DIR}/generated/build_info.hpp" -D "VERSION=${PROJECT_VERSION}"
    -D "BUILD_TYPE=${CMAKE_BUILD_TYPE}" -D "COMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" -D "SANITIZER=${STRATA_SANITIZER}"
    -D "ONEDNN=${STRATA_ONEDNN_VERSION}" -D "MPI=${MPI_CXX_VERSION}" -D "OPENMP=${OpenMP_CXX_VERSION}"
    -D "SYSTEM=${CMAKE_SYSTEM_NAME} ${CMAKE_SYSTEM_PROCESSOR}"
    -P "${PROJECT_SOURCE_DIR}/cmake/write_build_info.cmake"
  BYPRODUCTS "${PROJECT_BINARY_DIR}/generated/build_info.hpp"
  VERBATIM)
add_library(strata_build_info INTERFACE)
add_dependencies(strata_build_info strata_build_info_header)
target_include_directories(strata_build_info INTERFACE "${PROJECT_BINARY_DIR}/generated")
