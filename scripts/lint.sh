#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that judges text: clang-format, codespell, the house rules; with --tidy also clang-tidy (slow; needs a configured build).
#   scripts/lint.sh [--fix] [--tidy [BUILD_DIR]] [FILE...]
set -uo pipefail
cd "$(dirname "$0")/.."
fix=0 tidy=0 build=build/ci files=()
while [ $# -gt 0 ]; do
  case $1 in
    --fix) fix=1 ;;
    --tidy) tidy=1; if [ -n "${2:-}" ] && [ -f "$2/compile_commands.json" ]; then build=$2; shift; fi ;;
    -h|--help) sed -n 3,4p "$0" | cut -c3-; exit 0 ;;
    -*) echo "[lint] unknown option $1: see --help" >&2; exit 2 ;;
    *) files+=("$1") ;;
  esac
  shift
done
failed=0
step() { # NAME COMMAND...
  local name=$1; shift
  if ! command -v "$1" >/dev/null; then echo "lint: $name: SKIPPED, $1 is not installed (scripts/setup.sh)"; failed=1; return; fi
  if "$@"; then echo "lint: $name: ok"; else echo "lint: $name: FAILED"; failed=1; fi
}
if [ ${#files[@]} -eq 0 ]; then
  mapfile -t code < <(find include src parallel io tests perf \( -name '*.cpp' -o -name '*.hpp' -o -name '*.cu' -o -name '*.cuh' \) | sort)
else
  mapfile -t code < <(printf '%s\n' "${files[@]}" | grep -E '\.(cpp|hpp|cu|cuh)$')
fi
if [ ${#code[@]} -gt 0 ]; then
  if [ $fix = 1 ]; then step clang-format clang-format -i "${code[@]}"; else step clang-format clang-format --dry-run -Werror --ferror-limit=3 "${code[@]}"; fi
fi
step codespell codespell "${files[@]}"
step house-rules tools/check_includes.py "${files[@]}"
if [ $tidy = 1 ]; then
  if [ ! -f "$build/compile_commands.json" ]; then echo "[lint] no $build/compile_commands.json: configure first (cmake --preset ci)" >&2; exit 4; fi
  mapfile -t sources < <(printf '%s\n' "${code[@]}" | grep -E '\.cpp$')
  step clang-tidy xargs -a <(printf '%s\n' "${sources[@]}") -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build" --extra-arg-before=-isystem"$PWD/tools/clang_tidy" --extra-arg=-Wno-unknown-warning-option
fi
exit $failed
