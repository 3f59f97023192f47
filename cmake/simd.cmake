# SPDX-License-Identifier: Apache-2.0
# strata_simd_sources(TARGET file...): builds the files once an instruction set and adds the objects to TARGET.
#
# Each build sees -DSTRATA_ISA=isa_baseline | isa_avx2 | isa_avx512, meant as the namespace of what the file defines; the target itself sees
# STRATA_SIMD_X86=1 where the last two exist (elsewhere the baseline is alone). These files define functions of that namespace and nothing else:
# an inline function of a shared header, compiled for AVX-512 here, could be the copy that the linker keeps for everyone. Where the compiler keeps
# such copies (it names them weak), tests/architecture/simd_symbols finds them in optimised builds.
function(strata_simd_sources target)
  set(isas baseline)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    list(APPEND isas avx2 avx512)
    set(flags_baseline -march=x86-64-v2)
    set(flags_avx2 -march=x86-64-v3)
    set(flags_avx512 -march=x86-64-v4 -mprefer-vector-width=512)
    target_compile_definitions(${target} PRIVATE STRATA_SIMD_X86=1)
  endif()
  foreach(isa IN LISTS isas)
    set(objects ${target}_${isa})
    add_library(${objects} OBJECT ${ARGN})
    # Optimised alike in every preset: plain loops are vectorised, and inline helpers leave no weak symbols.
    target_compile_options(${objects} PRIVATE -O3 ${flags_${isa}})
    target_compile_definitions(${objects} PRIVATE STRATA_ISA=isa_${isa})
    target_include_directories(${objects} PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${objects} PRIVATE strata_options)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
    set_property(GLOBAL APPEND PROPERTY STRATA_SIMD_TARGETS ${objects})
  endforeach()
endfunction()
