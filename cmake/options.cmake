# SPDX-License-Identifier: Apache-2.0
# strata_options: warnings, language dialect, debug checks and sanitizers, linked privately by every target of the project.

add_library(strata_options INTERFACE)
target_compile_features(strata_options INTERFACE cxx_std_20)

# STRATA_DCHECK: promises between Strata's own parts. One setting for the whole build, or headers would differ between files.
set(debug_checks OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Debug" OR STRATA_SANITIZER)
  set(debug_checks ON)
endif()
option(STRATA_DEBUG_CHECKS "Compile STRATA_DCHECK in" ${debug_checks})
if(STRATA_DEBUG_CHECKS)
  target_compile_definitions(strata_options INTERFACE STRATA_DEBUG_CHECKS=1)
endif()

set(strata_warnings
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wfloat-conversion -Wshadow -Wvla -Wnon-virtual-dtor -Woverloaded-virtual
    -Wold-style-cast -Wcast-align -Wundef -Wextra-semi -Wimplicit-fallthrough -Wmissing-declarations)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND strata_warnings -Wduplicated-cond -Wlogical-op -Wredundant-move)
endif()
if(STRATA_WERROR)
  list(APPEND strata_warnings -Werror)
endif()

# errno after a math call is read nowhere, and setting it keeps sqrt from being vectorised. Products and sums are contracted only where a source
# asks for it (std::fma, intrinsics), so that two instruction sets round alike unless a kernel says otherwise.
set(strata_codegen -fno-math-errno -ffp-contract=off)

set(strata_sanitizer)
if(STRATA_SANITIZER STREQUAL "address")
  set(strata_sanitizer -fsanitize=address -fno-omit-frame-pointer)
elseif(STRATA_SANITIZER STREQUAL "undefined")
  set(strata_sanitizer -fsanitize=undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(STRATA_SANITIZER STREQUAL "thread")
  set(strata_sanitizer -fsanitize=thread -fno-omit-frame-pointer)
elseif(STRATA_SANITIZER)
  message(FATAL_ERROR "[options] unknown STRATA_SANITIZER '${STRATA_SANITIZER}': use address, undefined or thread")
endif()

foreach(flag IN LISTS strata_warnings strata_codegen strata_sanitizer)
  target_compile_options(strata_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${flag}>)
endforeach()
# Kernels: products and sums are contracted (the accuracy of an op is stated against the reference, not to the bit).
target_compile_options(strata_options INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra> $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr>)
target_link_options(strata_options INTERFACE ${strata_sanitizer})
