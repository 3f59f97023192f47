#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What can only be seen on a GPU, in one run with one table: kernels against the reference, goldens, gradients, losses, speed beside PyTorch, memory,
# two ranks, memory checks. The most important first; what no time is left for is named, and the table is printed in any case.
#   perf/gpu_check.sh [PART...]               uses build/cuda-release, built first if it is not there
#   perf/gpu_check.sh --from FOLDER [PART...] runs what perf/gpu_pack.sh laid there
#     parts: tests speed peer gradients memory tokens ranks kernels sanitizer; default: all of them in this order
#     --build DIR, --out DIR: where programs are, where reports and logs go; --seconds N: of the whole run (520)
# Environment: STRATA_CHECK_BACKEND=cpu with STRATA_CHECK_SMALL=1 rehearses the script itself without a GPU; STRATA_PYTHON: one that has PyTorch.
# Exit status: 1 where a check failed, 3 where there is no GPU.
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build/cuda-release from="" out=${OUT:-} seconds=520 parts=()
while [ $# -gt 0 ]; do
  case $1 in
    --from) from=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    -h|--help) sed -n 3,12p "$0" | cut -c3-; exit 0 ;;
    tests|speed|peer|gradients|memory|tokens|ranks|kernels|sanitizer) parts+=("$1"); shift ;;
    *) echo "[gpu_check] there is no part or option '$1': --help lists them" >&2; exit 2 ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || parts=(tests speed peer gradients memory tokens ranks kernels sanitizer)
backend=${STRATA_CHECK_BACKEND:-cuda} small=${STRATA_CHECK_SMALL:-} python=${STRATA_PYTHON:-python3}
out=${out:-$(mktemp -d)}
mkdir -p "$out"
export GTEST_COLOR=no

peer=$here/perf/peer compare=$here/perf/compare.py launch=(mpirun) bin=$build/bin
if [ -n "$from" ]; then
  from=$(cd "$from" && pwd) bin=$from/bin peer=$from/peer compare=$from/peer/compare.py
  export STRATA_GOLDEN_DATA=$from/golden STRATA_GOLDEN_DIR=$from/published STRATA_CONFIGS=$from/configs
  if [ -x "$from/openmpi/bin/mpirun" ]; then
    export OPAL_PREFIX=$from/openmpi PMIX_INSTALL_PREFIX=$from/openmpi
    launch=("$from/openmpi/bin/mpirun")
  fi
else
  targets=(strata conformance gradient golden unit_backends perf_ops)
  export STRATA_GOLDEN_DIR=${STRATA_GOLDEN_DIR:-$here/../shared/goldens}
  if [ ! -x "$bin/tests/golden" ]; then
    [ -f "$build/CMakeCache.txt" ] || cmake --preset cuda-release -S "$here" -B "$build" || exit 4
    cmake --build "$build" --parallel "$(nproc)" --target "${targets[@]}" || exit 4
  fi
fi
theirs=(env LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}") # Python and the machine's tools never meet the libraries that were carried here
# CUDA's libraries where the loader does not look: beside a toolkit or in a Python environment.
missing() { ldd "$bin/strata" 2>/dev/null | awk '/not found/ {print $1}'; }
[ -z "$from" ] || export LD_LIBRARY_PATH=$from/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
if [ -n "$(missing)" ]; then
  export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-/nowhere}
  site=$("${theirs[@]}" "$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' 2>/dev/null || echo /nowhere)
  for folder in /usr/local/cuda*/lib64 /usr/local/cuda*/lib /usr/local/cuda*/targets/x86_64-linux/lib /usr/lib/x86_64-linux-gnu "$site"/nvidia/*/lib \
    "$site"/nvidia/*/*/lib ${from:+"$from/spare"}; do
    [ ! -d "$folder" ] || LD_LIBRARY_PATH+=:$folder
  done
fi
if [ -n "$(missing)" ] || ! "$bin/strata" --version > "$out/start.log" 2>&1; then
  echo "[gpu_check] $bin/strata does not start here: it lacks" $(missing) "$(head -c 300 "$out/start.log" 2>/dev/null)" >&2
  exit 4
fi

"$bin/strata" info > "$out/info.txt"
sed -n '/^machine/,/^$/p' "$out/info.txt"
if [ "$backend" = cuda ] && grep -q "CUDA devices *none" "$out/info.txt"; then
  echo "[gpu_check] there is no GPU here: nothing was checked" >&2
  exit 3
fi

failed=0 begin=$SECONDS
: > "$out/table.txt"
row() { # NAME SECONDS RESULT
  printf '%-34s %5s s  %s\n' "$1" "$2" "$3" | tee -a "$out/table.txt"
}
left() { echo $((seconds - (SECONDS - begin))); }

# run NAME SECONDS COMMAND...: 0 where it passed; its output is in $log. No row where it passed: the caller writes it.
log="" took=0 job="" watcher=""
run() {
  local name=$1 limit=$2 start=$SECONDS code
  shift 2
  log=$out/${name//[^A-Za-z0-9]/_}.log
  if [ "$(left)" -lt 8 ]; then row "$name" 0 "no time was left"; return 1; fi
  [ -z "$small" ] || limit=$((limit * 10))
  [ "$limit" -le "$(left)" ] || limit=$(left)
  timeout --kill-after=5 "$limit" "$@" > "$log" 2>&1 &
  job=$!
  wait $job # a signal is answered at once, which it is not while a command runs in the foreground
  code=$?
  job=""
  took=$((SECONDS - start))
  [ $code -ne 0 ] || return 0
  failed=1
  local why
  why=$(grep -hE '^\[  FAILED  \]|SUMMARY|^error|^FAILED|Error:|error:' "$log" "$log".* 2>/dev/null | head -n 1 | cut -c1-160)
  if [ $code -eq 124 ] || [ $code -eq 137 ]; then why="stopped after $limit s; ${why:-$(tail -n 1 "$log" | cut -c1-120)}"; fi
  row "$name" $took "FAILED ($code): ${why:-$(tail -n 1 "$log" | cut -c1-160)}"
  grep -hE 'Failure|differ|allowed|  [a-z]' "$log" "$log".* 2>/dev/null | head -n 12
  return 1
}

# tests NAME SECONDS PROCESSES PROGRAM FILTER: GoogleTest cases, dealt to processes. None at all is a failure.
tests() {
  local name=$1 limit=$2 processes=$3 program=$4 filter=$5
  run "$name" "$limit" env STRATA_TEST_BACKEND="$backend" bash -c '
    log=$1 processes=$2 program=$3 filter=$4 pids=() code=0
    for ((i = 0; i < processes; ++i)); do
      GTEST_TOTAL_SHARDS=$processes GTEST_SHARD_INDEX=$i "$program" --gtest_filter="$filter" > "$log.$i" 2>&1 &
      pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || code=1; done
    exit $code' - "$out/${name//[^A-Za-z0-9]/_}.log" "$processes" "$bin/$program" "$filter" || return 0
  local passed
  passed=$(cat "$log".* | awk '/^\[  PASSED  \]/ {n += $4} END {print n + 0}')
  if [ "$passed" -eq 0 ]; then failed=1; row "$name" "$took" "FAILED: the filter $filter selected nothing"; return 0; fi
  row "$name" "$took" "$passed passed, $(cat "$log".* | awk '/^\[  SKIPPED \] [0-9]+ test/ {n += $4} END {print n + 0}') skipped"
}

# What a device has in use while a command runs: of all its processes, in MiB.
watch_memory() {
  command -v nvidia-smi > /dev/null || return 0
  "${theirs[@]}" nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -lms 250 > "$out/memory.txt" 2> /dev/null &
  watcher=$!
}
watched_memory() { # in $used
  used=""
  [ -n "$watcher" ] || return 0
  kill "$watcher" 2> /dev/null
  wait "$watcher" 2> /dev/null
  watcher=""
  used=$(sort -n "$out/memory.txt" | tail -n 1)
}

# bench NAME SECONDS REPORT ARGUMENT...: one row from the text that `strata bench train` prints.
bench() {
  local name=$1 limit=$2 report=$3 used=""
  shift 3
  watch_memory
  run "$name" "$limit" "$bin/strata" bench train --backend "$backend" --dtype bf16 --json "$out/$report.json" "$@"
  local code=$?
  watched_memory
  [ $code -eq 0 ] || return 0
  row "$name" "$took" "$(awk -v used="$used" '
    /TFLOP a step/ {flop = $4}
    $1 == "step" && !seen {step = $2; rate = $3; share = $4; seen = 1}
    $1 == "activations" {activations = $3} $1 == "peak" {peak = $3}
    /composed ceiling/ {for (i = 1; i <= NF; ++i) if ($i == "reaches") composed = $(i + 1)}
    END {
      printf "%s s, %s TFLOP/s", step, rate
      if (share != "") printf ", %s of the ceiling", share
      if (composed != "") printf ", %s of the composed one", composed
      printf "; MiB: %s activations, %s peak", activations, peak
      if (used != "") printf ", %s on the device", used
    }' "$log")"
  if [ -z "$shown" ] && grep -q "where the step" "$log"; then shown=$log; fi
}
shown=""

base=vit_base_multiscan_h2_token1176 large=vit_large_multiscan_h2_token1176
many=(--studies 8 --scans 8) fewer=(--studies 4 --scans 8) repeats=() composed=(--composition)
if [ -n "$small" ]; then # every line of this script, in seconds of a processor
  base=vit_base_multiscan_h2_token588 large=$base
  many=(--studies 1 --scans 1) fewer=("${many[@]}") repeats=(--warmup 0 --repeats 1)
fi

part_tests() {
  local on=${backend// /_}
  local ops="*_$on:MixedPrecision*" goldens=''
  if [ -n "$small" ]; then ops="*softmax*_$on" goldens='TorchOps*:'; fi
  tests "host logic" 40 1 tests/unit_backends '-Cpu*:Cpu/*:ParallelFor*'
  tests "ops against the reference" 150 4 tests/conformance "$ops"
  if run "ten losses" 60 "$bin/strata" selftest --training --backend "$backend"; then
    row "ten losses" "$took" "$(grep "^  $backend " "$log" | sed 's/.*relative/relative/; s/  last/; last/' | paste -sd ';')"
  fi
  tests "published and torch goldens" 90 4 tests/golden "$goldens-Tokenizer*:MetricsGolden*:*_reference_*"
}
part_gradients() {
  [ "$backend" = cuda ] || { row "finite differences" 0 "$backend has no own kernels in double precision"; return; }
  tests "finite differences" 100 4 tests/gradient '*_cuda'
}
part_speed() {
  bench "ViT-B, 8 studies of 8 scans" 80 base "${many[@]}" --variant $base "${composed[@]}" "${repeats[@]}"
  bench "ViT-B, patch dropout 0.5" 60 base_dropout "${many[@]}" --patch-dropout 0.5 --variant $base "${composed[@]}" "${repeats[@]}"
  bench "ViT-B, gradients in any order" 60 base_inexact "${many[@]}" --inexact --variant $base "${composed[@]}" "${repeats[@]}"
  [ -n "$small" ] || bench "ViT-B, one study of 8 scans" 60 base_one --scans 8 --variant $base "${composed[@]}" "${repeats[@]}"
  bench "ViT-L, 4 studies of 8 scans" 80 large "${fewer[@]}" --variant $large "${composed[@]}" "${repeats[@]}"
  bench "ViT-L, patch dropout 0.5" 60 large_dropout "${fewer[@]}" --patch-dropout 0.5 --variant $large "${composed[@]}" "${repeats[@]}"
}
part_peer() {
  if ! "${theirs[@]}" "$python" -c 'import torch' 2> /dev/null; then row "PyTorch" 0 "no torch on this machine"; return; fi
  local device=$backend name report slow ours=$failed
  for slow in "" --compile; do
    for report in base base_dropout large large_dropout; do
      [ -z "$small" ] || [ "$slow$report" = base ] || continue
      local what=("${many[@]}" --variant $base) limit=${slow:+110}
      case $report in large*) what=("${fewer[@]}" --variant $large) ;; esac
      case $report in *_dropout) what+=(--patch-dropout 0.5) ;; esac
      name="PyTorch ${slow:-eager}, $report"
      run "$name" "${limit:-60}" "${theirs[@]}" "$python" "$peer/step_torch.py" --device "$device" --dtype bf16 "${what[@]}" ${slow:+"$slow"} ${small:+--warm-up 0 --repeats 1} \
        --json "$out/torch_${slow#--}_$report.json" || { failed=$ours; continue; } # what it cannot do is no failure of ours
      row "$name" "$took" "$("${theirs[@]}" "$python" -c 'import json, sys
r = json.load(open(sys.argv[1])); m = r["memory"]
print(f"""{r["seconds"]["step"]:.6f} s, {r["gflops_per_second"]["step"] / 1e3:.3f} TFLOP/s, {r["share_of_ceiling"]:.1%} of the ceiling; MiB: {m.get("peak", m["peak_rss"]) / 2**20:.0f} peak""")' \
        "$out/torch_${slow#--}_$report.json")"
    done
  done
}
part_memory() {
  local scans=(40 400) more=(--checkpointing full --no-ceiling --warmup 1 --repeats 1)
  [ -z "$small" ] || scans=(2 3)
  bench "${scans[0]} scans, 6144 MiB allowed" 60 "scans_${scans[0]}_full" --variant $base --scans "${scans[0]}" --inexact "${more[@]}" ${small:+--patch-dropout 0.9}
  bench "${scans[1]} scans on one card" 120 "scans_${scans[1]}_full" --variant $base --scans "${scans[1]}" --max-scans 0 --inexact "${more[@]}" ${small:+--patch-dropout 0.9}
}
part_tokens() {
  local scans list=(1 2 4 8 16 40 80) mode
  [ -z "$small" ] || list=(1 2)
  for scans in "${list[@]}"; do
    mode=none
    [ "$scans" -le 40 ] || mode=full
    bench "$scans scans, checkpointing $mode" 40 "tokens_$scans" --variant $base --scans "$scans" --max-scans 0 --checkpointing $mode --no-ceiling \
      ${small:+--patch-dropout 0.9} --warmup 2 --repeats 3
  done
}
# Two processes on this machine's one GPU, over NCCL and over host memory (tests/devices), and without devices at all.
part_ranks() {
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
  export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_plm=isolated OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_vader_single_copy_mechanism=none
  export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo NCCL_SOCKET_IFNAME=lo PMIX_MCA_pcompress_base_silence_warning=1
  command -v "${launch[0]}" > /dev/null || { row "two ranks" 0 "no mpirun on this machine"; return; }
  ranks() { # NAME PROGRAM ARGUMENT...
    local name=$1 program=$bin/tests/$2
    shift 2
    [ -x "$program" ] || { row "$name" 0 "${program##*/} was not built"; return; }
    run "$name" 60 "${launch[@]}" -n 2 "$program" --transport mpi "$@" || return 0
    row "$name" "$took" "$(grep -hE '^\[  (PASSED|SKIPPED)  ?\]' "$log" | sed 's/^\[ *//; s/ *\]//' | paste -sd ';')"
  }
  ranks "two ranks, host" ranks_collectives --gtest_filter=-*DISABLED_*
  [ "$backend" = cuda ] || return 0
  ranks "two ranks, NCCL on one GPU" devices --device nccl
  ranks "two ranks, staged on one GPU" devices --device staged
}
part_kernels() {
  run "kernels alone" 90 env STRATA_TEST_BACKEND="$backend" "$bin/perf_ops" --benchmark_filter="${small:+^softmax.*}/$backend/real_time\$" --benchmark_min_time=0.02 --benchmark_format=console || return 0
  local timings
  timings=$(grep -c "/$backend/real_time" "$log")
  [ "$timings" -gt 0 ] || { failed=1 timings="FAILED: no"; }
  row "kernels alone" "$took" "$timings timings in ${log##*/}"
}
part_sanitizer() {
  command -v compute-sanitizer > /dev/null || { row "compute-sanitizer" 0 "not on this machine"; return; }
  run "compute-sanitizer, memory" 120 env STRATA_TEST_BACKEND="$backend" compute-sanitizer --error-exitcode 9 "$bin/tests/conformance" \
    --gtest_filter="*softmax*_$backend:*layer_norm*_$backend:*attention_7*_$backend" || return 0
  row "compute-sanitizer, memory" "$took" "$(grep -h SUMMARY "$log" | tail -n 1)"
}

finish() {
  trap - EXIT TERM INT
  for left in $job $watcher; do kill "$left" 2> /dev/null; done
  if [ -n "$shown" ]; then echo; sed -n '1,2p;/^where the step/,$p' "$shown"; fi
  for report in base base_dropout large large_dropout; do # ours first: ratios are of its step
    local side=()
    for file in "$out/$report.json" "$out/torch__$report.json" "$out/torch_compile_$report.json"; do [ ! -f "$file" ] || side+=("$file"); done
    [ ${#side[@]} -gt 0 ] && command -v "$python" > /dev/null || continue
    echo
    (cd "$out" && "${theirs[@]}" "$python" "$compare" --table "${side[@]##*/}")
  done
  printf '\n%s\n' "$(cat "$out/table.txt")"
  echo "reports and logs: $out; $((SECONDS - begin)) s"
  exit $failed
}
trap finish EXIT
trap 'failed=1; finish' TERM INT
for part in "${parts[@]}"; do "part_$part"; done
