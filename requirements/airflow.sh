#!/usr/bin/env bash
# Makes .venv-airflow, in which rendered schedules are tested (`make airflow`). Jobs do not need it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
venv=$root/.venv-airflow
uv=$root/.venv/bin/uv
state=$(sha256sum "$here/airflow.txt" "$here/airflow.sh")

[[ $(cat "$venv/.complete" 2>/dev/null) != "$state" ]] || exit 0
rm -rf "$venv"
"$root/.venv/bin/python" -m venv --without-pip "$venv"
while IFS= read -r setting; do export "${setting?}"; done < <("$root/.venv/bin/python" "$here/pip_to_uv.py")
install=("$uv" pip install --python "$venv/bin/python" --no-python-downloads --quiet --require-hashes -r "$here/airflow.txt")
"${install[@]}" --offline 2>/dev/null || "${install[@]}"
echo "$state" >"$venv/.complete"
