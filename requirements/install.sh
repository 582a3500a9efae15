#!/usr/bin/env bash
# Set-up: makes .venv in the repository's root with the locked packages, Horovod and this project.
#
#   requirements/install.sh [--quiet]     --quiet: print nothing if there is nothing to do
#
# Safe to run again at any time: what is complete stays, what is missing or incomplete is made again.
# It needs Linux, Python 3.11 and, until Horovod's wheel is in the cache, a C++ compiler and make.
#
#   PYTHON=/path/to/python3.11    which Python the environment is made from
#   OPTDIST_CACHE=DIR             where built wheels are kept (default ~/.cache/optdist)
#   OPTDIST_GPU=1                 a GPU node: tensorflow[and-cuda] and Horovod with NCCL. It needs CUDA's
#                                 compiler and NCCL's headers. Not tried on a GPU by this project yet.
# .venv remembers OPTDIST_GPU, so it is given once. pip's settings for indexes and certificates hold here too.
set -euo pipefail
umask 022
export HOME=${HOME:-~} PATH  # an empty environment has neither

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
venv=$root/.venv
state=$venv/.optdist  # `gpu`, `packages` (locked packages are whole), `complete` (all is done)
py=$venv/bin/python

gpu=${OPTDIST_GPU:-}
[[ -n $gpu || ! -f $state/gpu ]] || gpu=$(<"$state/gpu")
[[ $gpu == 1 ]] || gpu=0
lock=$here/lock.txt
[[ $gpu == 0 ]] || lock=$here/lock-gpu.txt

quiet=0
[[ ${1:-} != --quiet ]] || quiet=1

say() { printf '%s\n' "$*" >&2; }
die() { say "set-up: $*"; exit 1; }
step() { say "set-up [$1/7] $2"; }

fingerprint() {
  { printf '%s\n' "$root" "$gpu"; cat "$lock" "$here"/{horovod.txt,bootstrap.txt,install.sh,pip_to_uv.py} "$root/setup.py"; } |
    sha256sum
}

up_to_date() {
  [[ -x $py && -f $state/complete && $(<"$state/complete") == "$(fingerprint)" ]] &&
    { [[ -x $venv/bin/java ]] || command -v java >/dev/null; }
}

is_311() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }

find_python() {
  local candidate name
  if [[ -n ${PYTHON:-} ]]; then
    is_311 "$PYTHON" || die "PYTHON=$PYTHON is not a Python 3.11. Point PYTHON to one, or unset it."
    echo "$PYTHON"
    return
  fi
  for name in python3.11 python3 python; do
    while read -r candidate; do
      if [[ $candidate != "$venv"/* ]] && is_311 "$candidate"; then
        echo "$candidate"
        return
      fi
    done < <(type -aP "$name")
  done
  die "Python 3.11 is required but was not found. Install it (Debian 12: apt-get install python3.11-venv), or set PYTHON=/path/to/python3.11."
}

# --- Horovod's wheel -----------------------------------------------------------------------------------------

horovod_env() {
  printf '%s\n' HOROVOD_WITH_TENSORFLOW=1 HOROVOD_WITH_GLOO=1 \
    HOROVOD_WITHOUT_MPI=1 HOROVOD_WITHOUT_PYTORCH=1 HOROVOD_WITHOUT_MXNET=1
  # gcc 13 no longer pulls in two headers that Horovod 0.28.1 forgets.
  printf '%s\n' "CXXFLAGS=-include cstdint -include string${CXXFLAGS:+ $CXXFLAGS}"
  [[ $gpu == 0 ]] || printf '%s\n' HOROVOD_GPU_OPERATIONS=NCCL
}

# A wheel serves every environment with the same Python, TensorFlow, platform and build flags.
wheel_key() {
  local tensorflow flags
  tensorflow=$(grep -m1 -oE '^tensorflow(-cpu)?==[^ ]+' "$lock")
  flags=$({
    horovod_env
    cat "$here/horovod.txt"
    echo "${CC:-} ${CXX:-} ${LDFLAGS:-}"
    env | grep -E '^HOROVOD_' | sort || true
    grep -m1 -E '^flags' /proc/cpuinfo | grep -owE 'avx|f16c|fma' | sort -u || true  # Horovod's build looks at them
  } | sha256sum | cut -c1-12)
  echo "cp311-${tensorflow/==/-}-$(uname -m)-$(getconf GNU_LIBC_VERSION 2>/dev/null | tr ' ' '-' || echo libc)-$flags"
}

cached_wheel() { compgen -G "$wheels/$(wheel_key)/horovod-*.whl" | head -n1; }

open_cache() {
  wheels=${OPTDIST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/optdist}/wheels
  mkdir -p "$wheels"
  # What lies here is installed and run: nobody else may write to it.
  [[ -O $wheels && ! -L $wheels ]] || die "$wheels belongs to another user. Set OPTDIST_CACHE to a directory of your own."
  chmod 700 "$wheels"
}

check_compiler() {
  local cxx=${CXX:-} hint="Debian: apt-get install g++ make"
  for candidate in g++ c++ clang++; do
    [[ -n $cxx ]] || cxx=$(type -P "$candidate" || true)
  done
  command -v make >/dev/null || die "make is required to build Horovod but was not found. Install it ($hint)."
  # shellcheck disable=SC2086  # CXX may hold a launcher and a compiler: "ccache g++"
  { [[ -n $cxx ]] && echo 'int main() {}' | $cxx -x c++ -o /dev/null - 2>/dev/null; } ||
    die "a C++ compiler is required to build Horovod, but no working one was found. Install one ($hint) or set CXX."
}

build_wheel() {
  local key work log started=$SECONDS
  key=$(wheel_key)
  exec 8>"$wheels/$key.lock"
  ! command -v flock >/dev/null || flock -n 8 || { say "  waiting for another set-up that is building it"; flock 8; }
  [[ -z $(cached_wheel) ]] || return 0
  log=$wheels/$key.log
  work=$wheels/.build-$key-$$
  say "  building Horovod (takes minutes, once per user). Log: $log"
  rm -rf "$wheels/.build-$key"-*  # left behind by interrupted builds: we hold the lock
  mkdir -p "$work/tmp"
  local -a flags
  mapfile -t flags < <(horovod_env)
  # pip's own wheel cache ignores TensorFlow's version, so it is not used.
  if ! env -u MAKELEVEL -u MFLAGS MAKEFLAGS="-j$(nproc)" TMPDIR="$work/tmp" PATH="$venv/bin:$PATH" "${flags[@]}" \
    "$py" -m pip wheel --verbose --no-cache-dir --no-build-isolation --no-deps --require-hashes \
    --disable-pip-version-check -r "$here/horovod.txt" -w "$work" 2>&1 8>&- | tee "$log" | progress; then
    tail -n 25 "$log" >&2
    rm -rf "$work"
    die "building Horovod failed. The end of the log is above; the whole log is $log"
  fi
  rm -rf "$work/tmp" "${wheels:?}/$key"
  mv "$work" "$wheels/$key"
  say "  built in $((SECONDS - started)) s"
}

# Shows every tenth percent of what CMake says.
progress() {
  awk '/^ *\[ *[0-9]+%\]/ { p = $0; sub(/%.*/, "", p); gsub(/[^0-9]/, "", p); p += 0
         if (p >= shown + 10) { shown = p - p % 10; printf "  Horovod %d%%\n", shown; fflush() } }' >&2
}

# --- the environment -----------------------------------------------------------------------------------------

make_venv() {
  # Without the mark `packages` an earlier run stopped half-way; a moved clone has wrong paths inside.
  if [[ -f $state/packages && $(cat "$state/gpu" 2>/dev/null) == "$gpu" ]] &&
    [[ $("$py" -c 'import sys; print(sys.version_info[:2] == (3, 11) and sys.prefix)' 2>/dev/null) == "$venv" ]] &&
    "$venv/bin/pip" --version >/dev/null 2>&1; then
    step 1 "keeping .venv"
    return
  fi
  [[ ! -e $venv && ! -L $venv ]] || say "  .venv is incomplete or not ours: making it again"
  step 1 "making .venv with $python"
  rm -rf "$venv"
  "$python" -m venv "$venv" >&2 ||
    die "$python could not make an environment, see above. Usually its venv module is missing (Debian: apt-get install python3.11-venv)."
  mkdir -p "$state"
  echo "$gpu" >"$state/gpu"
}

install_packages() {
  rm -f "$state/packages"
  step 2 "uv, the installer"
  "$py" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$here/bootstrap.txt"
  local setting
  while IFS= read -r setting; do export "${setting?}"; done < <("$py" "$here/pip_to_uv.py")
  step 3 "$(grep -cE '^[a-z0-9]' "$lock") locked packages"
  # The lock also binds what a package without a wheel (pyspark) is built with.
  local -a locked=(--require-hashes --build-constraints "$lock" -r "$lock")
  # With everything in uv's cache no index is asked: a second instead of a quarter of a minute.
  uv_install --offline --quiet "${locked[@]}" 2>/dev/null || uv_install "${locked[@]}" 2>&1 | sed -u '/^ [+~-] /d' >&2
  touch "$state/packages"
}

uv_install() { "$venv/bin/uv" pip install --python "$py" --no-python-downloads "$@"; }

install_horovod() {
  step 4 "Horovod"
  [[ -n $(cached_wheel) ]] || build_wheel
  uv_install --quiet --no-deps --reinstall "$(cached_wheel)"
}

install_project() {
  step 5 "optdist itself, editable"
  # `compat` puts the root on the path: no import hook in every Python worker.
  uv_install --quiet --no-deps --no-build-isolation --reinstall --config-setting editable_mode=compat --editable "$root"
}

# Plain `spark-submit` in the activated environment finds its Java and its defaults here; nothing outside .venv changes.
link_java() {
  local java
  step 6 "Java for Spark"
  ln -sfn "$root/conf/spark" "$venv/lib/python3.11/site-packages/pyspark/conf"
  rm -f "$venv/bin/java"
  # shellcheck source=requirements/env.sh
  java=$(. "$here/env.sh" && echo "$JAVA_HOME/bin/java")
  [[ $java != "$venv"/* ]] || ln -s "$java" "$venv/bin/java"
  say "  $java"
}

# The first import of TensorFlow and MLflow compiles thousands of files: once here, not in every job and worker.
first_import() {
  local imports failed=0
  local -a jobs=()
  step 7 "first import"
  for imports in "horovod.tensorflow, keras, tensorflow" \
    "lightgbm, matplotlib.pyplot, mlflow.pyfunc, mlflow.store.tracking.sqlalchemy_store, petastorm.reader, petastorm.tf_utils, pyspark.sql.pandas.functions, pytest, scipy.stats, omegaconf, pydantic"; do
    env -u PYTHONDONTWRITEBYTECODE TF_CPP_MIN_LOG_LEVEL=3 "$py" -W ignore -c "import $imports" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=1; done
  [[ $failed == 0 ]] || die "the installed packages do not load, see above. Remove .venv and run this again; if that does not help, report it."
}

main() {
  [[ $(uname -s) == Linux ]] || die "Linux is required: Horovod and the locked packages are only tested there. On macOS or Windows use a Linux container or WSL 2."
  unset PYTHONPATH PYTHONHOME
  export PIP_USER=0  # a user-wide `user = true` cannot work in an environment

  exec 9>"$root/.venv.lock"
  ! command -v flock >/dev/null || flock -n 9 || { say "set-up: waiting for another set-up that is running here"; flock 9; }
  ! up_to_date || return 0

  # shellcheck disable=SC2046  # one word per process
  trap 'kill $(jobs -p) 2>/dev/null || true; say "set-up: interrupted. Run it again: it continues from what is done."; exit 130' INT TERM
  trap '[[ $? == 0 || $? == 130 ]] || say "set-up: did not finish. Once the cause is fixed, run it again."' EXIT
  open_cache
  python=$(find_python)
  [[ -n $(cached_wheel) ]] || check_compiler
  rm -f "$state/complete"
  make_venv
  install_packages
  install_horovod
  install_project
  link_java
  first_import
  fingerprint >"$state/complete"
  say "set-up: done in $SECONDS s"
}

if up_to_date; then
  [[ $quiet == 1 ]] || say "set-up: up to date"
else
  main
fi
