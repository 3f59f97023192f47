#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configures, builds and runs the tests; the last line is `N passed, N failed, N skipped`.
#   scripts/test.sh [--preset NAME] [--jobs N] [CTEST_ARGUMENT...]
# The preset is ci unless told otherwise (cpu-debug, cpu-asan, cpu-ubsan, cpu-tsan, ...: cmake --list-presets); what follows goes to ctest, e.g. -L unit.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=ci jobs=$(nproc)
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=$2; shift 2 ;;
    --jobs) jobs=$2; shift 2 ;;
    -h|--help) sed -n 3,5p "$0" | cut -c3-; exit 0 ;;
    *) break ;;
  esac
done
build=build/$preset

cmake --preset "$preset"
cmake --build --preset "$preset" --parallel "$jobs"
# Results of an earlier run would be counted as this one's.
mkdir -p "$build/test-results"
find "$build/test-results" -name '*.xml' -delete
rm -f "$build/ctest.xml"
status=0
ctest --preset "$preset" --parallel "$jobs" --output-junit "$PWD/$build/ctest.xml" "$@" </dev/null || status=$?
python3 tools/count_tests.py "$build/ctest.xml" "$build/test-results" || status=1
exit "$status"
