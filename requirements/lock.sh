#!/usr/bin/env bash
# Writes the lock files from setup.py (`make lock`). Arguments are passed to uv, e.g. --upgrade.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export UV_CUSTOM_COMPILE_COMMAND="make lock"
while IFS= read -r setting; do export "${setting?}"; done < <(.venv/bin/python requirements/pip_to_uv.py)
unset UV_INDEX UV_FIND_LINKS UV_INDEX_STRATEGY  # one machine's extra packages must not decide a lock for all
# Metadata of source packages is made with the setuptools of the environment, which is locked too.
# One platform whatever the machine; hashes of all files of a version, so other Linux platforms can install too.
compile=(.venv/bin/uv pip compile --quiet --generate-hashes --no-build-isolation --python .venv/bin/python
  --python-version 3.11 --python-platform x86_64-manylinux_2_28)
shared=(--extra build --extra data --extra delta --extra dev --extra horovod --extra lightgbm --extra pipeline)

# Horovod is built from source against the TensorFlow of the lock, so it has its own file. Its requirements are locked here.
"${compile[@]}" setup.py "${shared[@]}" --extra cpu --no-emit-package horovod -o requirements/lock.txt "$@"
"${compile[@]}" setup.py "${shared[@]}" --extra gpu --no-emit-package horovod -o requirements/lock-gpu.txt "$@"
"${compile[@]}" --no-deps -o requirements/horovod.txt "$@" - <<<"horovod==0.28.1"
"${compile[@]}" -o requirements/bootstrap.txt "$@" - <<<"uv==0.13.9"

# Airflow is locked apart: it is installed next to nothing of ours.
"${compile[@]}" requirements/airflow.in -o requirements/airflow.txt "$@"
