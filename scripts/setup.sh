#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian 12 (or Ubuntu 24.04) packages that building, testing and linting Strata need. May be run again at any time.
#   scripts/setup.sh            install what is missing (as root, or with sudo)
#   scripts/setup.sh --check    say what is missing, install nothing; exit 1 if something is
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache git python3          # building
  openmpi-bin libopenmpi-dev                        # ranks as processes: standard MPI 3.1
  libdnnl-dev                                       # oneDNN, the products of the cpu backend
  libfmt-dev libcli11-dev nlohmann-json3-dev        # text, command line, JSON headers of safetensors
  libicu-dev                                        # Unicode, of the tokenizer
  libyaml-cpp-dev libcsv-dev libpng-dev libssl-dev zlib1g-dev # profiles, tables, pictures, keyed pseudonyms, checksums
  libdcmtk-dev libopenjp2-7-dev                     # DICOM, and its JPEG 2000
  libnifti2-dev libniftiio-dev libznz-dev           # NIfTI
  libeigen3-dev                                     # small algebra of geometry
  libhdf5-openmpi-dev hdf5-tools libxxhash-dev      # study shards: parallel HDF5, checksums
  libgtest-dev libbenchmark-dev                     # tests and timings
  clang-format clang-tidy codespell                 # scripts/lint.sh
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi
echo "setup: missing: ${missing[*]}"
if [ "${1:-}" = --check ]; then exit 1; fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "[setup] neither root nor sudo: ask an administrator for these packages: ${missing[*]}" >&2
    exit 4
  fi
  as_root=(sudo)
fi
# Wait for another apt instead of failing; ask nothing, as CI has no terminal.
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
echo "setup: apt-get update"
"${apt[@]}" update -q </dev/null
echo "setup: installing ${#missing[@]} packages"
"${apt[@]}" install -q -y --no-install-recommends "${missing[@]}" </dev/null
echo "setup: done, now: scripts/test.sh"
