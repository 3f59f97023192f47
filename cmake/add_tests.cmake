# SPDX-License-Identifier: Apache-2.0
# How a test is registered. One program holds many GoogleTest cases and is one CTest entry (several with SHARDS); each run leaves a GoogleTest XML
# in <build>/test-results, from which tools/count_tests.py counts cases, skips with their reasons included.

set(STRATA_TEST_RESULTS "${PROJECT_BINARY_DIR}/test-results")
file(MAKE_DIRECTORY "${STRATA_TEST_RESULTS}")

# MPIEXEC_TIMEOUT makes mpirun end its ranks itself; a mpirun killed by CTest could leave them behind.
# Open MPI on a small or shared machine: root may run it, more ranks than cores, no binding, and waiting ranks give way.
set(STRATA_MPI_ENVIRONMENT
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
    OMPI_MCA_mpi_yield_when_idle=1 OMP_NUM_THREADS=1)

set(STRATA_SANITIZER_ENVIRONMENT)
if(STRATA_SANITIZER STREQUAL "address")
  # Slow unwinding, or the suppressions of Open MPI's own leaks match no frame.
  set(STRATA_SANITIZER_ENVIRONMENT ASAN_OPTIONS=fast_unwind_on_malloc=0:detect_stack_use_after_return=1
      LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0)
elseif(STRATA_SANITIZER STREQUAL "undefined")
  set(STRATA_SANITIZER_ENVIRONMENT UBSAN_OPTIONS=print_stacktrace=1)
elseif(STRATA_SANITIZER STREQUAL "thread")
  # Open MPI and libgomp are not instrumented; with one OpenMP thread libgomp's barriers cannot be mistaken for races.
  set(STRATA_SANITIZER_ENVIRONMENT TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=0 OMP_NUM_THREADS=1)
endif()

set(STRATA_TIMEOUT_FACTOR 1)
if(STRATA_SANITIZER OR CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(STRATA_TIMEOUT_FACTOR 8)
endif()

function(strata_test_properties name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;PROCESSORS" "LABELS;ENVIRONMENT")
  set(environment STRATA_GOLDEN_DIR=${STRATA_GOLDEN_PATH} STRATA_DATA_DIR=${STRATA_DATA_PATH} ${arg_ENVIRONMENT} ${STRATA_SANITIZER_ENVIRONMENT})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} PROCESSORS ${arg_PROCESSORS} ENVIRONMENT "${environment}")
endfunction()

# strata_test_program(NAME file... ): an executable with every floor, wing, fixture and GoogleTest linked, or the given FLOORS instead of all;
# MAIN none leaves main() to the files.
function(strata_test_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MAIN" "SOURCES;LINKS;FLOORS")
  if(NOT arg_FLOORS)
    set(arg_FLOORS strata_everything strata_fixtures)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE strata_options ${arg_FLOORS} fmt::fmt nlohmann_json::nlohmann_json ${arg_LINKS})
  target_link_libraries(${name} PRIVATE $<IF:$<STREQUAL:${arg_MAIN},none>,GTest::gtest,GTest::gtest_main>)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
  target_compile_definitions(${name} PRIVATE STRATA_GOLDEN_DATA="${PROJECT_SOURCE_DIR}/tests/golden/data")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin/tests")
endfunction()

# strata_gtest(NAME LABELS l... SOURCES file... [LINKS lib...] [FLOORS floor...] [TIMEOUT s] [PROCESSORS n] [SHARDS n])
function(strata_gtest name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;PROCESSORS;SHARDS" "LABELS;SOURCES;LINKS;FLOORS;ENVIRONMENT")
  foreach(default TIMEOUT=300 PROCESSORS=1 SHARDS=1)
    string(REPLACE "=" ";" default "${default}")
    list(GET default 0 key)
    if(NOT arg_${key})
      list(GET default 1 arg_${key})
    endif()
  endforeach()
  strata_test_program(${name} SOURCES ${arg_SOURCES} LINKS ${arg_LINKS} FLOORS ${arg_FLOORS})
  math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * ${STRATA_TIMEOUT_FACTOR}")
  math(EXPR last "${arg_SHARDS} - 1")
  foreach(shard RANGE ${last})
    set(entry ${name})
    set(environment ${arg_ENVIRONMENT})
    if(arg_SHARDS GREATER 1)
      set(entry ${name}.${shard})
      list(APPEND environment GTEST_TOTAL_SHARDS=${arg_SHARDS} GTEST_SHARD_INDEX=${shard})
    endif()
    add_test(NAME ${entry} COMMAND ${name} --gtest_output=xml:${STRATA_TEST_RESULTS}/${entry}.xml)
    strata_test_properties(${entry} LABELS ${arg_LABELS} TIMEOUT ${arg_TIMEOUT} PROCESSORS ${arg_PROCESSORS} ENVIRONMENT ${environment})
  endforeach()
endfunction()

# strata_rank_test(NAME SOURCES file... RANKS n... [LABELS l...] [LINKS lib...] [TIMEOUT s])
#
# One program, whose main() is tests/main_mpi.cpp, run as N ranks in one process (--transport thread --ranks N) and, where MPI exists, as N processes
# under mpirun (--transport mpi). Cases named DISABLED_ end the job: they are no skips, tests/ranks/CMakeLists.txt runs each by name. Only rank 0 may write the XML that --gtest_output names. Without MPI those entries stand as disabled, and are counted.
function(strata_rank_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS;SOURCES;LINKS;RANKS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * ${STRATA_TIMEOUT_FACTOR}")
  math(EXPR launcher_timeout "${arg_TIMEOUT} - 10")
  set(links ${arg_LINKS})
  if(STRATA_HAVE_MPI)
    list(APPEND links MPI::MPI_CXX)
  endif()
  if(NOT TARGET strata_rank_main) # one main() for all of them, compiled once
    add_library(strata_rank_main OBJECT "${PROJECT_SOURCE_DIR}/tests/main_mpi.cpp")
    target_link_libraries(strata_rank_main PRIVATE strata_options strata_everything GTest::gtest fmt::fmt ${links})
    target_include_directories(strata_rank_main PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
  endif()
  strata_test_program(${name} MAIN none SOURCES ${arg_SOURCES} LINKS ${links} strata_rank_main)
  set(ordinary --gtest_filter=-*DISABLED_*)
  foreach(ranks IN LISTS arg_RANKS)
    set(entry ${name}.thread.${ranks})
    add_test(NAME ${entry} COMMAND ${name} --transport thread --ranks ${ranks} ${ordinary} --gtest_output=xml:${STRATA_TEST_RESULTS}/${entry}.xml)
    strata_test_properties(${entry} LABELS unit ${arg_LABELS} TIMEOUT ${arg_TIMEOUT} PROCESSORS ${ranks} ENVIRONMENT OMP_NUM_THREADS=1)
    set(entry ${name}.mpi.${ranks})
    if(STRATA_HAVE_MPI)
      add_test(NAME ${entry}
               COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} $<TARGET_FILE:${name}> --transport mpi ${ordinary}
                       --gtest_output=xml:${STRATA_TEST_RESULTS}/${entry}.xml)
      strata_test_properties(${entry} LABELS mpi ${arg_LABELS} TIMEOUT ${arg_TIMEOUT} PROCESSORS ${ranks} ENVIRONMENT ${STRATA_MPI_ENVIRONMENT}
                             MPIEXEC_TIMEOUT=${launcher_timeout})
    else()
      add_test(NAME ${entry} COMMAND ${name})
      set_tests_properties(${entry} PROPERTIES DISABLED TRUE LABELS mpi)
    endif()
  endforeach()
endfunction()
