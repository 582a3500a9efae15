#!/usr/bin/env bash
# Writes the lock files from setup.py (`make lock`). Arguments go on to uv, e.g. --upgrade.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export UV_CUSTOM_COMPILE_COMMAND="make lock"
UV=${UV:-.venv/bin/uv}
# One platform whatever the machine; hashes of all files of a version, so other Linux platforms can install too.
compile=("$UV" pip compile --quiet --generate-hashes
  --python-version 3.11 --python-platform x86_64-manylinux_2_28)
shared=(--extra build --extra data --extra dev --extra horovod --extra lightgbm --extra pipeline)

# Horovod is built from source against the TensorFlow of the lock, so it stands apart. Its requirements are locked here.
"${compile[@]}" setup.py "${shared[@]}" --extra cpu --no-emit-package horovod -o requirements/lock.txt "$@"
"${compile[@]}" setup.py "${shared[@]}" --extra gpu --no-emit-package horovod -o requirements/lock-gpu.txt "$@"
"${compile[@]}" --no-deps -o requirements/horovod.txt "$@" - <<<"horovod==0.28.1"
"${compile[@]}" -o requirements/bootstrap.txt "$@" - <<<"uv==0.13.9"
