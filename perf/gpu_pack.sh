#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Lays what perf/gpu_check.sh runs into a folder, and that into FOLDER.tar.xz: for a machine that has a GPU but cannot build.
#   perf/gpu_pack.sh FOLDER [BUILD]
# In it: programs without symbols; the libraries they need, but libc and CUDA's own; golden values; the scripts of the PyTorch peer; Open MPI's
# launcher with its plugins. Build for that GPU alone, or the kernels are carried several times:
#   cmake --preset cuda-release -B build/cuda-pack -DCMAKE_CUDA_ARCHITECTURES=90
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 1 ] || { sed -n 3,8p "$0" | cut -c3-; exit 2; }
pack=$1 build=${2:-$here/build/cuda-pack}
wanted=(strata tests/conformance tests/gradient tests/golden tests/unit_backends)
optional=(perf_ops tests/devices tests/ranks_collectives)
# Of the system: the loader and libc. Of the machine with the GPU: CUDA, cuDNN, NCCL, the driver.
not_ours='/(ld-linux|libc|libm|libdl|libpthread|librt|libresolv|libcu[a-z]*|libnccl|libnv[a-z]*)[-.0-9A-Za-z]*\.so'
largest=$((64 * 1024 * 1024))

libraries_of() { # FILE...: copied to where the programs look
  ldd "$@" 2>/dev/null | awk '$3 ~ /^\// {print $3}' | sort -u | { grep -vE "$not_ours" || true; } |
    while read -r library; do cp -Lu "$library" "$pack/lib/"; done
}

mkdir -p "$pack/bin/tests" "$pack/lib" "$pack/spare" "$pack/golden" "$pack/published" "$pack/peer"
for program in "${wanted[@]}" "${optional[@]}"; do
  if [ -x "$build/bin/$program" ]; then
    cp "$build/bin/$program" "$pack/bin/$program"
    strip "$pack/bin/$program"
    libraries_of "$build/bin/$program"
  elif [[ " ${wanted[*]} " == *" $program "* ]]; then
    echo "[gpu_pack] $build/bin/$program is missing: build it first" >&2
    exit 4
  fi
done
# CUDA's runtime is small: carried for a machine where only a driver and PyTorch's own libraries are.
ldd "$build/bin/strata" | awk '$1 ~ /^libcudart/ && $3 ~ /^\// {print $3}' | while read -r library; do cp -Lu "$library" "$pack/spare/"; done
find "$pack/lib" -name '*.so*' -exec strip --strip-unneeded {} + 2>/dev/null || true

cp "$here"/tests/golden/data/*.safetensors "$pack/golden/"
published=${STRATA_GOLDEN_DIR:-$here/../shared/goldens}
for name in h2_scan_study h3_slice_scan_study single_h2_slice_study resampled_position ragged_studies dinotxt_dual; do # the rest would be too much
  if [ -f "$published/hlip_$name.safetensors" ]; then cp "$published/hlip_$name.safetensors" "$pack/published/"; fi
done
cp "$here"/perf/peer/{step_torch,hlip_torch,matmul_torch}.py "$here/perf/compare.py" "$pack/peer/"
cp -r "$here/configs" "$pack/"
cp "$here/perf/gpu_check.sh" "$pack/"

# Open MPI finds everything from OPAL_PREFIX on; its plugins lie where they lay below the old prefix.
if launcher=$(readlink -f "$(command -v mpirun)") && plugins=$(ompi_info --path pkglibdir 2>/dev/null | awk '{print $2}') && [ -d "$plugins" ]; then
  prefix=$(ompi_info --path prefix | awk '{print $2}')
  inside=$pack/openmpi/${plugins#"$prefix"/}
  mkdir -p "$pack/openmpi/bin" "$pack/openmpi/share/openmpi" "$inside"
  cp "$launcher" "$pack/openmpi/bin/mpirun"
  cp "$(command -v orted)" "$pack/openmpi/bin/"
  for plugin in "$plugins"/*.so; do # fabrics that one machine does not have would bring large libraries
    case $plugin in *ucx* | *ofi* | *psm* | *openib* | *usnic* | *verbs* | *monitoring* | *memheap* | *sc?ll* | *spml* | *sshmem* | *flux* | *slurm*) continue ;; esac
    cp "$plugin" "$inside/"
  done
  cp "$prefix"/share/openmpi/help-*.txt "$pack/openmpi/share/openmpi/" 2>/dev/null || true
  libraries_of "$launcher" "$inside"/*.so
fi

# The programs share most of their code: a dictionary as large as the pack finds it.
tar -cf - -C "$(dirname "$pack")" "$(basename "$pack")" | xz -T1 --lzma2=preset=5,dict=256MiB > "$pack.tar.xz"
size=$(stat -c %s "$pack.tar.xz")
du -sh "$pack" "$pack.tar.xz"
[ "$size" -lt $largest ] || { echo "[gpu_pack] $pack.tar.xz has $size bytes, more than can be carried ($largest)" >&2; exit 4; }
