# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What all batch jobs share; they source it. Site settings come first: change them here, or set them in the environment.
: "${STRATA_HOME:=$SLURM_SUBMIT_DIR}"                     # the sources; jobs are submitted from there unless it is set
: "${STRATA:=$STRATA_HOME/build/cpu-release/bin/strata}"  # the program, on a file system that all nodes see
: "${STRATA_CONFIGS:=$STRATA_HOME/configs}"               # configurations; your own folder may stand here
: "${STRATA_MODULES:=}"                                   # modules to load, if any: "gcc/12 openmpi/4.1"
: "${STRATA_CONTAINER:=}"                                 # an image with the program in it, if any, run by apptainer
: "${STRATA_MPI:=pmix}"                                   # how ranks find each other (srun --mpi=list)
: "${STRATA_NETWORK:=}"                                   # what Open MPI's TCP may use, if that must be said: 10.1.0.0/16, ib0
: "${STRATA_YIELD:=0}"                                    # 1: ranks that wait give way; for more ranks than cores

set -euo pipefail
if [ -n "$STRATA_MODULES" ]; then # shellcheck disable=SC2086 # several words
  module load $STRATA_MODULES
fi
program=("$STRATA")
if [ -n "$STRATA_CONTAINER" ]; then program=(apptainer exec "$STRATA_CONTAINER" strata); fi

# A rank has its task's cores, which srun binds; Open MPI must not bind on top of that. srun does not take the number of
# cores from sbatch by itself (Slurm 22.05 and later).
export STRATA_CONFIGS OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}" SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle="$STRATA_YIELD"
if [ -n "$STRATA_NETWORK" ]; then
  export OMPI_MCA_btl_tcp_if_include="$STRATA_NETWORK" OMPI_MCA_oob_tcp_if_include="$STRATA_NETWORK"
fi

# One Strata on all tasks of the job; a rank that dies ends them all.
ranks() { exec srun --mpi="$STRATA_MPI" --kill-on-bad-exit=1 "${program[@]}" "$@"; }

# The same for work that is resumed: before the time is up Slurm sends USR1 to this shell (#SBATCH --signal=B:USR1@300),
# the ranks finish their step, leave a checkpoint and go, and the job queues again under its own number.
ranks_until_done() {
  local step code=0 asked=
  echo "$(date '+%F %T') job $SLURM_JOB_ID, start $((${SLURM_RESTART_COUNT:-0} + 1)), on $SLURM_JOB_NODELIST"
  ranks "$@" &
  step=$!
  trap 'asked=1; kill -USR1 "$step" 2> /dev/null || true' USR1
  wait "$step" || code=$?
  while kill -0 "$step" 2> /dev/null; do # a signal ends wait, not the ranks
    code=0
    wait "$step" || code=$?
  done
  # 138: USR1 came before the ranks listened
  if [ -n "$asked" ] && { [ "$code" -eq 0 ] || [ "$code" -eq 138 ]; }; then
    echo "$(date '+%F %T') the time is up: the job queues again"
    scontrol requeue "$SLURM_JOB_ID"
  fi
  return "$code"
}
