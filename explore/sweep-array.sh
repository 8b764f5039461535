#!/bin/sh
# sweep-array.sh: a sweep as a Slurm job array. On the login node:
#
#     explore/sweep-array.sh PLAN.yaml RESULTS.db SHARDS [SBATCH OPTION...]
#
# submits SHARDS tasks, each with every core of its allocation, and a last job that merges what they leave, once they are all over, however
# they ended: it names the shards that died. The same call again runs only what is missing.
set -eu

if [ "${WEFT_SWEEP_SHARDS-}" ]; then # inside a task
    exec "${WEFT:-weft}" sweep "$1" -o "$2" -j "${SLURM_CPUS_PER_TASK:-1}" --shard "$SLURM_ARRAY_TASK_ID/$WEFT_SWEEP_SHARDS"
fi

[ $# -ge 3 ] || {
    echo "usage: $0 PLAN.yaml RESULTS.db SHARDS [SBATCH OPTION...]" >&2
    exit 2
}
plan=$1 results=$2 shards=$3
shift 3
stem=${results%.*} ending=.${results##*.}
[ "$stem" != "$results" ] || ending=
stores=
i=0
while [ "$i" -lt "$shards" ]; do
    part="$stem.$i-of-$shards$ending"
    [ "$shards" -gt 1 ] || part=$results
    stores="$stores '$part'"
    i=$((i + 1))
done
job=$(WEFT_SWEEP_SHARDS=$shards sbatch --parsable --export=ALL --array="0-$((shards - 1))" "$@" "$0" "$plan" "$results")
job=${job%%;*}
echo "tasks: $job"
[ "$shards" -le 1 ] || echo "merge: $(sbatch --parsable --export=ALL --dependency="afterany:$job" "$@" --wrap "'${WEFT:-weft}' sweep --merge '$results' $stores")"
