#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From nothing to a trained and judged language-image model: packages, build, studies, shards, pre-training, evaluation, pictures.
#   scripts/quickstart.sh                              1,500 made-up head-CT studies (strata phantom)
#   scripts/quickstart.sh --data DIR --reports CSV     your own DICOM (or NIfTI) and a table of reports (docs/reports_and_labels.md)
# Options:
#   --to DIR         where everything goes; default: quickstart
#   --ranks N        MPI ranks; default: 2
#   --studies N      how many studies are made up; default: 1500
#   --labels NAME    label set of configs/eval that judges; default: cq500
#   --no-setup       packages are there already
#   KEY=VALUE        settings of the training: name=second optim.lr=5e-4
# Started again, it goes on behind what is finished. Whatever is removed from --to is made again.
set -euo pipefail
cd "$(dirname "$0")/.."
to=quickstart ranks=2 studies=1500 labels=cq500 data="" reports="" setup=1 name=quickstart
overrides=()
while [ $# -gt 0 ]; do
  case $1 in
    --to) to=$2; shift 2 ;;
    --ranks) ranks=$2; shift 2 ;;
    --studies) studies=$2; shift 2 ;;
    --labels) labels=$2; shift 2 ;;
    --data) data=$2; shift 2 ;;
    --reports) reports=$2; shift 2 ;;
    --no-setup) setup=0; shift ;;
    -h|--help) sed -n 3,13p "$0" | cut -c3-; exit 0 ;;
    name=*) name=${1#name=}; shift ;;
    *=*) overrides+=("$1"); shift ;;
    *) echo "[quickstart] there is no option '$1': --help lists them" >&2; exit 2 ;;
  esac
done
if [ -n "$data" ] && [ -z "$reports" ]; then
  echo "[quickstart] --data needs --reports: a CSV or JSON Lines table with a report a study (docs/reports_and_labels.md)" >&2
  exit 2
fi

begin=$SECONDS
step() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - begin)); }

step "packages"
if [ "$setup" -eq 1 ]; then scripts/setup.sh; fi

step "build"
cmake --preset cpu-release
cmake --build --preset cpu-release --target strata --parallel "$(nproc)"
strata=build/cpu-release/bin/strata

# Ranks may share cores: they give way while they wait, and are not bound. A rank computes with its share of the cores.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
threads=$(($(nproc) / ranks))
export OMP_NUM_THREADS=$((threads > 0 ? threads : 1))
job() { mpirun -n "$ranks" "$strata" "$@"; }

if [ -z "$data" ]; then
  data=$to/phantoms/dicom reports=$to/phantoms/labels.csv
  step "$studies made-up studies as DICOM"
  if [ ! -f "$reports" ]; then job phantom --to "$to/phantoms" --studies "$studies" --seed 1 --bone 0 --normal 0.2 --test 0.2; fi
fi

step "ingest: DICOM to study shards"
# Phantoms come with a split; patients of other tables are drawn.
if [ "$reports" = "$to/phantoms/labels.csv" ]; then split=(); else split=(--split "train=0.8" "test=0.2"); fi
job ingest head_ct_quick --from "$data" --to "$to/set" --reports "$reports" --label-column '*' ${split[@]+"${split[@]}"}
"$strata" view "$to/set" --study 0 --to "$to/study.png"

step "vocabulary of the reports"
if [ ! -f "$to/vocab.txt" ]; then "$strata" vocab "$reports" --to "$to/vocab.txt"; fi

step "language-image pre-training on $ranks ranks"
set_options=("name=$name" "data.root=$to/set" "text.vocabulary=$to/vocab.txt" "output=$to/runs")
job train quickstart "${set_options[@]}" ${overrides[@]+"${overrides[@]}"} --resume auto
run=$to/runs/$name

step "evaluation: zero-shot on the held-out studies"
job eval "$labels" --checkpoint "$run" --data "$to/set:test" --to "$run/eval"

step "hand-over: embeddings and weights"
job embed "$run" --data "$to/set:test" --to "$run/embeddings.h5"
"$strata" export --checkpoint "$run" --to "$run/model.safetensors"
"$strata" plot "$run"

step "done"
cat <<TEXT
  $to/study.png              a study
  $run/curves.png        loss, learning rate, scores
  $run/eval/             scores.json and predictions.csv
  $run/embeddings.h5     embeddings of the held-out studies
  $run/model.safetensors weights for open_clip, timm, transformers
  $run/checkpoints/      strata train quickstart ... --resume auto goes on from here
  tensorboard --logdir $to/runs shows the curves while it trains
TEXT
