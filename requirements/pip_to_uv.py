"""Prints pip's settings for indexes and certificates as the variables that uv reads, one a line.

uv does not read pip.conf. Users who have set up pip for a mirror or their own certificate authority
expect both to follow. Variables already set for uv stay.
"""

import ast
import os
import subprocess
import sys

TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
}
# Later ones win: files, the `install` section over `global`, variables over both.
SECTIONS = ("global", "install", ":env:")


def pip_settings() -> dict[str, str]:
    """Pip's settings, merged as pip itself merges them for `pip install`."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    values: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in values:
            values[section][key.replace("default-", "")] = str(ast.literal_eval(value))
    return {key: value for section in SECTIONS for key, value in values[section].items()}


def main() -> None:
    """Print `NAME=value` for each setting of pip that uv has not been told yet."""
    settings = pip_settings()
    for key, variable in TO_UV.items():
        value = " ".join(settings.get(key, "").split())
        if value and not os.environ.get(variable):
            print(f"{variable}={value}")
    # pip takes the best version of all indexes; the hashes of the lock decide which file is right.
    if "extra-index-url" in settings and not os.environ.get("UV_INDEX_STRATEGY"):
        print("UV_INDEX_STRATEGY=unsafe-best-match")


if __name__ == "__main__":
    main()
