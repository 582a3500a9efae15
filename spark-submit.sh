#!/usr/bin/env bash
# Sets up what is missing, then runs a job: the same script for a laptop and a cluster.
set -euo pipefail
export HOME=${HOME:-~} PATH  # an empty environment has neither

usage() {
  cat <<'TEXT'
Usage: ./spark-submit.sh [spark options] SCRIPT.py [script's arguments]

Sets up .venv if necessary, then runs the script with a Spark that spark-submit starts for it, whose options come
before the script (spark-submit's own --help lists them). Arguments after the script's name go to the script.

  ./spark-submit.sh jobs/train.py
  ./spark-submit.sh --master yarn --num-executors 8 jobs/train.py --help

Without --master (or SPARK_MASTER, MASTER or spark.master in spark-defaults.conf) it runs on this machine:
local[N] with all cores, at least two slots because training waits for two, and half of the memory for the
driver (2 to 8 GB).

Variables it respects:
  JAVA_HOME       used if it is a Java 17 or 11; else `java` on the PATH if that is one; else the pip-installed 17
  SPARK_HOME      a cluster's own Spark, used if the master is not local; else the locked Spark
  SPARK_CONF_DIR  Spark's configuration; by default $SPARK_HOME/conf, which for the locked Spark is conf/spark here
  PYSPARK_PYTHON  Python on the executors, if .venv is not at the same path on every node
TEXT
}

die() { printf 'spark-submit.sh: %s\n' "$*" >&2; exit 2; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case ${1:-} in
  "") usage >&2; exit 2 ;;
  -h | --help) usage; exit 0 ;;
esac

# --- Spark's options: all before the first argument that is neither an option nor an option's value ----------

master='' memory='' properties=''
options=()

note_option() {
  case $1=$2 in
    --master=*) master=$2 ;;
    --driver-memory=*) memory=$2 ;;
    --properties-file=*) properties=$2 ;;
    --conf=spark.master=* | -c=spark.master=*) master=${2#*=} ;;
    --conf=spark.driver.memory=* | -c=spark.driver.memory=*) memory=${2#*=} ;;
  esac
  options+=("$1" "$2")
}

while [[ $# -gt 0 && $1 == -* ]]; do
  case $1 in
    --help | -h | --usage-error | --version | --verbose | -v | --supervise) options+=("$1"); shift ;;
    --*=*) note_option "${1%%=*}" "${1#*=}"; shift ;;
    *)
      [[ $# -ge 2 ]] || die "option $1 needs a value"
      note_option "$1" "$2"
      shift 2
      ;;
  esac
done
[[ $# -eq 0 || $1 == *:/* || -f $1 ]] || die "no such script: $1"

"$root/requirements/install.sh" --quiet
# shellcheck source=requirements/env.sh
. "$root/requirements/env.sh"

# --- Which Spark, which master -------------------------------------------------------------------------------

locked_spark=$root/.venv/lib/python3.11/site-packages/pyspark  # set-up links its conf/ to the repository's conf/spark
: "${SPARK_HOME:=$locked_spark}"
conf_dir=${SPARK_CONF_DIR:-$SPARK_HOME/conf}
defaults=${properties:-$conf_dir/spark-defaults.conf}

# Many clusters have no spark-defaults.conf in conf/: then nothing is set.
setting() { [[ ! -r $defaults ]] || sed -nE "s/^[[:space:]]*${1//./\\.}[[:space:]=:]+//p" "$defaults" | tail -n1; }

if [[ -z $master ]]; then
  cores=$(nproc)
  master=${SPARK_MASTER:-${MASTER:-$(setting spark.master)}}
  master=${master:-local[$((cores < 2 ? 2 : cores)),4]}  # 4: a task whose Python worker dies is done again
  options=(--master "$master" "${options[@]}")
fi
# The repository's own default is for plain spark-submit, which cannot look at the machine.
[[ -n $memory || $defaults == "$locked_spark"/* ]] || memory=$(setting spark.driver.memory)

half_of_memory() {
  local total limit
  total=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)  # a container's share
  [[ $limit == max || $((limit / 1048576)) -ge $total ]] || total=$((limit / 1048576))
  total=$((total / 2))
  echo "$((total < 2048 ? 2048 : total > 8192 ? 8192 : total))m"
}

if [[ $master == local || $master == local\[* ]]; then
  # A laptop's stray SPARK_HOME would select a Spark that is not tested with these packages.
  SPARK_HOME=$locked_spark
  export SPARK_LOCAL_IP=${SPARK_LOCAL_IP:-127.0.0.1}  # a VPN's address is not reachable from here
  progress=false
  [[ ! -t 2 ]] || progress=true
  options=(--conf spark.ui.enabled=false --conf "spark.ui.showConsoleProgress=$progress" "${options[@]}")
  [[ -n $memory ]] || options=(--driver-memory "$(half_of_memory)" "${options[@]}")
fi
export SPARK_HOME
umask 077  # what Spark keeps for itself while it runs; the settings say who may read what the job makes

# spark-submit runs a script as Java's child: it joins the script's stderr to stdout, hands on no signal, and leaves the
# script behind if Java is killed. So the script runs here, and its session starts spark-submit with the same options.
script=${1:-} in_cluster=false
[[ " ${options[*]} " != *[=\ ]cluster\ * ]] || in_cluster=true  # --deploy-mode cluster
if [[ $script == *.py && -f $script && $in_cluster == false ]]; then
  quoted=()
  for option in "${options[@]}" pyspark-shell; do quoted+=("'${option//\'/\'\\\'\'}'"); done
  export PYSPARK_SUBMIT_ARGS="${quoted[*]}"
  if [[ $SPARK_HOME != "$locked_spark" ]]; then  # a cluster's own Spark has its own pyspark
    for path in "$SPARK_HOME"/python/lib/py4j-*-src.zip "$SPARK_HOME/python"; do
      [[ ! -e $path ]] || export PYTHONPATH=$path${PYTHONPATH:+:$PYTHONPATH}
    done
  fi
  exec "$PYSPARK_DRIVER_PYTHON" "$@"
fi
exec "$SPARK_HOME/bin/spark-submit" "${options[@]}" "$@"
