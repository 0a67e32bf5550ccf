#!/usr/bin/env bash
# A Slurm cluster whose only node is this machine, for tests/slurm.rs.
#
# Usage, as root: cluster.sh up FOLDER, which prints the path of its configuration for SLURM_CONF; cluster.sh down FOLDER.
# Needs Debian's packages slurm-wlm and munge. Nothing of it outlives `down` but a key for munge, if there was none.
set -euo pipefail

command=${1:-} folder=$(realpath -m "${2:?expected up FOLDER or down FOLDER}")
node=$(hostname -s)
conf=$folder/slurm.conf
export SLURM_CONF=$conf

configure() {
  local memory
  memory=$(free --mega | awk '/^Mem:/ { print int($2 / 2) }')
  # Root runs everything, processes are followed by /proc rather than by control groups, and nothing is accounted for.
  cat >"$conf" <<END
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/controller
SlurmdSpoolDir=$folder/node
SlurmctldPidFile=$folder/controller.pid
SlurmdPidFile=$folder/node.pid
SlurmctldLogFile=$folder/controller.log
SlurmdLogFile=$folder/node.log
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
MinJobAge=30
KillWait=5
SchedulerParameters=batch_sched_delay=1,sched_interval=1,bf_interval=1
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory State=UNKNOWN
PartitionName=test Nodes=$node Default=YES MaxTime=1:00:00 State=UP
END
}

authenticate() {
  munge --no-input >/dev/null 2>&1 && return
  install -d -o munge -g munge -m 700 /etc/munge /var/lib/munge /var/log/munge
  install -d -o munge -g munge -m 755 /run/munge
  if [[ ! -s /etc/munge/munge.key ]]; then
    head -c 1024 /dev/urandom >/etc/munge/munge.key
  fi
  chown munge:munge /etc/munge/munge.key
  chmod 400 /etc/munge/munge.key
  setpriv --reuid=munge --regid=munge --clear-groups munged
  for _ in {1..20}; do
    munge --no-input >/dev/null 2>&1 && return
    sleep 0.5
  done
  echo "cluster: munge does not answer, see /var/log/munge" >&2
  exit 1
}

case $command in
  up)
    mkdir -p "$folder"/{controller,node}
    configure
    authenticate
    slurmctld -c -f "$conf"
    for _ in {1..20}; do
      scontrol ping >/dev/null 2>&1 && break
      sleep 0.5
    done
    slurmd -f "$conf"
    for _ in {1..60}; do
      if [[ $(sinfo --noheader --format=%t 2>/dev/null) == idle ]]; then
        echo "$conf"
        exit 0
      fi
      sleep 0.5
    done
    echo "cluster: the node does not become idle, see $folder/*.log" >&2
    exit 1
    ;;
  down)
    scancel --user=root >/dev/null 2>&1 || true
    for daemon in node controller; do
      if [[ -s $folder/$daemon.pid ]]; then
        kill "$(<"$folder/$daemon.pid")" 2>/dev/null || true
      fi
    done
    ;;
  *)
    echo "usage: cluster.sh up|down FOLDER" >&2
    exit 2
    ;;
esac
