# SPDX-License-Identifier: Apache-2.0
# strata_simd_sources(TARGET file... [BF16 file...]): builds the files once an instruction set and adds the objects to TARGET; those after BF16 only
# for avx512_bf16 and amx, whose other kernels are those of avx512.
#
# Each build sees -DSTRATA_ISA=isa_baseline | isa_avx2 | isa_avx512 | isa_avx512_bf16 | isa_amx, meant as the namespace of what the file defines; the
# target itself sees STRATA_SIMD_X86=1 where the sets after baseline exist, and STRATA_SIMD_BF16=1 where the compiler knows the last two. These files
# define functions of that namespace and nothing else: an inline function of a shared header, compiled for AVX-512 here, could be the copy that the
# linker keeps for everyone. Where the compiler keeps such copies (it names them weak), tests/architecture/simd_symbols finds them in optimised builds.
include(CheckCXXSourceCompiles)
set(STRATA_FLAGS_baseline -march=x86-64-v2)
set(STRATA_FLAGS_avx2 -march=x86-64-v3)
set(STRATA_FLAGS_avx512 -march=x86-64-v4 -mprefer-vector-width=512)
set(STRATA_FLAGS_avx512_bf16 ${STRATA_FLAGS_avx512} -mavx512bf16)
set(STRATA_FLAGS_amx ${STRATA_FLAGS_avx512_bf16} -mamx-tile -mamx-bf16)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  list(JOIN STRATA_FLAGS_amx " " CMAKE_REQUIRED_FLAGS)
  check_cxx_source_compiles(
    "#include <immintrin.h>
     __m512 sum(__m512 a, __m512bh b) { _tile_zero(0); _tile_dpbf16ps(0, 1, 2); _tile_release(); return _mm512_dpbf16_ps(a, b, b); }
     int main() { return 0; }"
    STRATA_COMPILER_KNOWS_BF16)
  unset(CMAKE_REQUIRED_FLAGS)
endif()

function(strata_simd_objects target isa)
  set(objects ${target}_${isa})
  add_library(${objects} OBJECT ${ARGN})
  # Optimised alike in every preset: plain loops are vectorised, and inline helpers leave no weak symbols. Nothing here throws.
  target_compile_options(${objects} PRIVATE -O3 -fno-exceptions)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    target_compile_options(${objects} PRIVATE ${STRATA_FLAGS_${isa}})
  endif()
  if(STRATA_SANITIZER MATCHES "address" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 does not align 64-byte vectors on an instrumented stack (GCC bug 110027). The heap, where tensors lie, stays watched.
    target_compile_options(${objects} PRIVATE "SHELL:--param asan-stack=0")
  endif()
  target_compile_definitions(${objects} PRIVATE STRATA_ISA=isa_${isa})
  target_include_directories(${objects} PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${objects} PRIVATE strata_options)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
  set_property(GLOBAL APPEND PROPERTY STRATA_SIMD_TARGETS ${objects})
endfunction()

function(strata_simd_sources target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "BF16")
  set(isas baseline)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    list(APPEND isas avx2 avx512)
    target_compile_definitions(${target} PRIVATE STRATA_SIMD_X86=1)
  endif()
  foreach(isa IN LISTS isas)
    strata_simd_objects(${target} ${isa} ${arg_UNPARSED_ARGUMENTS})
  endforeach()
  if(arg_BF16 AND STRATA_COMPILER_KNOWS_BF16)
    target_compile_definitions(${target} PRIVATE STRATA_SIMD_BF16=1)
    foreach(isa IN ITEMS avx512_bf16 amx)
      strata_simd_objects(${target} ${isa} ${arg_BF16})
    endforeach()
  endif()
endfunction()
