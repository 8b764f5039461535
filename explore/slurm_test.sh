#!/bin/sh
# slurm_test.sh ROOT WEFT: sweep-array.sh on a real Slurm, as its users call it: a controller, munge and one node on the loopback, in a folder of
# their own, as the user who runs this. The shards merged are one whole run, row for row; a task that was killed is found and named.
# Exit status 77: Slurm is not here, or cannot be started.
set -eu
root=$1 weft=$2
PATH=$PATH:/usr/sbin:/sbin
for tool in slurmctld slurmd munged sbatch squeue scancel; do
    command -v $tool >/dev/null || { echo "skipped: $tool is missing (packages slurm-wlm, munge)"; exit 77; }
done

folder=$(mktemp -d /tmp/weft-slurm-XXXXXX)
stop() {
    for pid in "$folder"/*.pid; do
        [ ! -s "$pid" ] || kill "$(cat "$pid")" 2>/dev/null || true
    done
    sleep 1
    rm -rf "$folder" 2>/dev/null || { sleep 2; rm -rf "$folder"; }
}
trap stop EXIT
skip() { echo "skipped: $1"; tail -5 "$folder"/*.log 2>/dev/null || true; exit 77; }

chmod 755 "$folder"
mkdir "$folder/state" "$folder/spool"
head -c 1024 /dev/urandom >"$folder/munge.key"
chmod 400 "$folder/munge.key"
munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" \
    --seed-file="$folder/munge.seed" --num-threads=2 >"$folder/start.log" 2>&1 || skip "munged does not start"

host=$(hostname -s) port=$((20000 + $$ % 20000))
cat >"$folder/slurm.conf" <<END
ClusterName=weft
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=2
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmctldParameters=enable_configless
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
export SLURM_CONF="$folder/slurm.conf"
slurmctld -f "$SLURM_CONF" >>"$folder/start.log" 2>&1 || skip "slurmctld does not start"
slurmd -N "$host" -f "$SLURM_CONF" >>"$folder/start.log" 2>&1 || skip "slurmd does not start"
tries=0
until sinfo -h -o %t 2>/dev/null | grep -q idle; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || skip "the node does not come up: $(sinfo -h -o '%t %E' 2>&1)"
    sleep 0.5
done

cd "$folder"
export WEFT="$weft"
wait_for_jobs() { # until the queue is empty
    tries=0
    while squeue -h | grep -q .; do
        tries=$((tries + 1))
        [ $tries -lt 240 ] || { echo "FAIL: jobs never end:"; squeue; exit 1; }
        sleep 0.5
    done
}
rows() { # every column but the time that a point took, in order of key
    "$weft" sweep --csv "$1" | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "wall_seconds") skip = i } { $skip = ""; print }' | sort
}
plan() { # NAME LAST
    printf 'name: %s\nbase: tiny\nnetworks: [cifar10-lenet]\nbatches: [1, 2]\naxes:\n  - {field: vector.lanes, range: {from: 1, to: %s, step: 1}}\n' "$1" "$2" >"$1.yaml"
}

# Three shards, merged by the job behind them.
plan whole 30
sh "$root/explore/sweep-array.sh" whole.yaml array.db 3
wait_for_jobs
[ -s array.db ] || { echo "FAIL: nothing was merged:"; cat slurm-*.out; exit 1; }
"$weft" sweep -q whole.yaml -o whole.db --shard 0/1
rows whole.db >whole.txt
rows array.db >array.txt
[ "$(wc -l <whole.txt)" -eq 61 ] || { echo "FAIL: the whole run has $(wc -l <whole.txt) lines, not 60 points and a head"; exit 1; }
cmp whole.txt array.txt || { echo "FAIL: the shards merged are not the whole run"; exit 1; }

# A task that is killed while it runs: the merge says which. So that it is caught running, its weft waits first.
printf '#!/bin/sh\n[ "${SLURM_ARRAY_TASK_ID-}" != 1 ] || exec sleep 600\nexec "%s" "$@"\n' "$weft" >slow-weft
chmod +x slow-weft
rm -f slurm-*.out
WEFT="$folder/slow-weft" sh "$root/explore/sweep-array.sh" whole.yaml killed.db 3 >submitted
cat submitted
array=$(sed -n 's/^tasks: //p' submitted)
tries=0
until [ "$(squeue -h -t RUNNING -o %K -j "$array")" = 1 ]; do
    tries=$((tries + 1))
    [ $tries -lt 240 ] || { echo "FAIL: task 1 is never alone"; squeue; exit 1; }
    sleep 0.5
done
scancel "${array}_1"
wait_for_jobs
grep -h "shard 1 of 3 of plan whole is in none of the stores; run it with --shard 1/3" slurm-*.out ||
    { echo "FAIL: the dead shard is not named:"; cat slurm-*.out; exit 1; }

# The same call again runs what is missing, and only that.
sh "$root/explore/sweep-array.sh" whole.yaml killed.db 3
wait_for_jobs
rows killed.db | cmp - whole.txt || { echo "FAIL: after the second call the rows are not the whole run's"; exit 1; }
echo "slurm: three shards, one killed, merged: 60 points as in one run"
