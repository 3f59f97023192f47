#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What can only be seen on a GPU, in one run with one table: every op of the cuda backend against the reference, the gradient checks, memory checks.
#   perf/gpu_check.sh                    uses build/cuda-release (built first if it can be)
#   perf/gpu_check.sh --pack DIR         lays programs and the libraries they need, but for CUDA's own, into DIR: for a machine that cannot build
#   perf/gpu_check.sh --from DIR         runs what --pack laid there
# Exit status: 1 where a check failed, 3 where there is no GPU.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build/cuda-release pack="" from=""
while [ $# -gt 0 ]; do
  case $1 in
    --pack) pack=$2; shift 2 ;;
    --from) from=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    -h|--help) sed -n 3,8p "$0" | cut -c3-; exit 0 ;;
    *) echo "[gpu_check] there is no option '$1': --help lists them" >&2; exit 2 ;;
  esac
done
programs=(strata tests/conformance tests/gradient tests/unit_backends tests/unit_runtime)

missing=0
for program in "${programs[@]}"; do [ -x "$build/bin/$program" ] || missing=1; done
if [ -z "$from" ] && [ $missing -eq 1 ]; then
  [ -f "$build/CMakeCache.txt" ] || cmake --preset cuda-release -S "$here" -B "$build"
  cmake --build "$build" --parallel "$(nproc)" --target strata conformance gradient unit_backends unit_runtime
fi

if [ -n "$pack" ]; then
  mkdir -p "$pack/bin/tests" "$pack/lib"
  for program in "${programs[@]}"; do
    cp "$build/bin/$program" "$pack/bin/$program"
    # Of the system: the loader and libc. Of the machine with the GPU: CUDA, cuDNN, NCCL, the driver.
    ldd "$build/bin/$program" | awk '$3 ~ /^\// {print $3}' | grep -vE '/(ld-linux|libc|libm|libdl|libpthread|librt|libcu[a-z]*|libnccl|libnv[a-z]*)[-.0-9A-Za-z]*\.so' |
      while read -r library; do cp -Lu "$library" "$pack/lib/"; done
  done
  cp -r "$here/configs" "$pack/"
  cp "$0" "$pack/gpu_check.sh"
  du -sh "$pack"
  exit 0
fi

bin=$build/bin
if [ -n "$from" ]; then
  bin=$(cd "$from" && pwd)/bin
  export LD_LIBRARY_PATH=$bin/../lib:${LD_LIBRARY_PATH:-}
fi
"$bin/strata" info | sed -n '/^machine/,/^$/p'
if "$bin/strata" info | grep -q "CUDA devices *none"; then
  echo "[gpu_check] there is no GPU here: nothing was checked" >&2
  exit 3
fi

table="" failed=0
# check NAME SECONDS COMMAND...: its last lines if it fails, a line of the table in any case.
check() {
  local name=$1 limit=$2 begin=$SECONDS log result
  shift 2
  log=$(mktemp)
  if timeout "$limit" "$@" > "$log" 2>&1; then
    result=$(grep -E '^\[  PASSED  \]|SUMMARY' "$log" | tail -n 1 || true)
  else
    failed=1
    result="FAILED: $(grep -E '^\[  FAILED  \]|SUMMARY|^error' "$log" | tail -n 1 || true)"
    grep -E 'Failure|error|differ|  [a-z]' "$log" | head -n 40 || true
  fi
  table+=$(printf '%-28s %5d s  %s' "$name" $((SECONDS - begin)) "${result:-done}")$'\n'
  rm -f "$log"
}
check "host logic" 60 "$bin/tests/unit_backends" --gtest_filter='Launch*:Walk*:Devices*'
check "ops against the reference" 240 "$bin/tests/conformance" --gtest_filter='*_cuda'
check "gradients" 240 "$bin/tests/gradient" --gtest_filter='*cuda*'
if command -v compute-sanitizer > /dev/null; then
  check "compute-sanitizer, memory" 120 compute-sanitizer --error-exitcode 9 "$bin/tests/conformance" \
    --gtest_filter='*softmax*_cuda:*layer_norm*_cuda:*attention_7*_cuda'
else
  table+="compute-sanitizer             not on this machine"$'\n'
fi
printf '\n%s' "$table"
exit $failed
