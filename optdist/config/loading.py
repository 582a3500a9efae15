"""Reads configurations: YAML files merged in order, checked as a whole, secrets kept out of print.

`conf/base.yaml` <- `conf/env/NAME.yaml` <- the data set's YAML <- `--set section.key=value`.
`${env:NAME}` is replaced when the configuration is checked; everything that is printed, logged or
hashed uses the text as written, so that a secret never leaves the process.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from optdist.config.secrets import hidden
from optdist.config.settings import Config
from optdist.errors import ConfigError

CONF_DIR = Path(__file__).resolve().parents[2] / "conf"


def _environment_variable(name: str) -> str:
    if name not in os.environ:
        raise ConfigError(f"The environment variable {name} is not set, but a config names it.")
    return os.environ[name]


OmegaConf.register_resolver("env", _environment_variable, replace=True)


def load_config(
    dataset: str | Path = "complete_journey",
    env: str = "local",
    overrides: Sequence[str] = (),
    conf_dir: Path = CONF_DIR,
) -> Config:
    """Read, merge and check a configuration.

    Args:
        dataset: the name of a file in `conf/datasets`, or a path that ends in .yaml.
        env: the name of a file in `conf/env`.
        overrides: `section.key=value` each, values in YAML.
        conf_dir: the folder with base.yaml, env/ and datasets/.

    Raises:
        ConfigError: listing every unknown key, missing key and wrong value at once.
    """
    named = Path(dataset)
    is_file = named.suffix in {".yaml", ".yml"}
    dataset_path = named if is_file else conf_dir / "datasets" / f"{dataset}.yaml"
    try:
        layers = [
            read_yaml(conf_dir / "base.yaml"),
            read_yaml(conf_dir / "env" / f"{env}.yaml"),
            _dataset_layer(read_yaml(dataset_path)),
            OmegaConf.from_dotlist(list(overrides)),
        ]
        merged = OmegaConf.merge(*layers)
        written = OmegaConf.to_container(merged, resolve=False)
        resolved = OmegaConf.to_container(merged, resolve=True)
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(f"The configuration cannot be merged: {error}") from error
    return config_from(_plain(resolved), _plain(written))


def config_from(resolved: Mapping[str, Any], written: Mapping[str, Any] | None = None) -> Config:
    """Check a merged configuration (`resolved`) and keep it as `written` for print."""
    written = dict(resolved if written is None else written)
    try:
        return Config(**resolved, written=written)
    except ValidationError as error:
        lines = "\n".join(f"  - {line}" for line in problems(error, written))
        found = hidden(f"The configuration has these problems:\n{lines}", written)
        raise ConfigError(found) from None


def fingerprint(value: Any) -> str:
    """A short stable hash of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _dataset_layer(written: dict[str, Any]) -> dict[str, Any]:
    """A data set file holds the data set itself, and may carry other sections for it."""
    sections = set(Config.model_fields) - {"dataset", "written"}
    layer = {key: written.pop(key) for key in list(written) if key in sections}
    return {"dataset": written, **layer}


def _plain(merged: Any) -> dict[str, Any]:
    """A mapping whose `spark` section has dotted keys again, which overrides split at the dots."""
    flat: dict[str, Any] = {}

    def collect(value: Mapping[str, Any], prefix: str) -> None:
        for key, inner in value.items():
            if isinstance(inner, Mapping):
                collect(inner, f"{prefix}{key}.")
            else:
                flat[f"{prefix}{key}"] = inner if isinstance(inner, str) else json.dumps(inner)

    collect(merged.get("spark") or {}, "")
    return {**merged, "spark": flat}


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's mapping, dates as text.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds something else.
    """
    if not path.is_file():
        there = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ConfigError(f"{path} does not exist. Found there: {', '.join(there) or 'nothing'}.")
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold a mapping of keys to values.")
    plain: dict[str, Any] = json.loads(json.dumps(content, default=str))  # dates become text
    return plain


def problems(error: ValidationError, written: Mapping[str, Any]) -> Iterator[str]:
    """A line for each problem: where it is, what is wrong, and what was `written` there."""
    for problem in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in problem["loc"])
        line = f"{place}: {problem['msg']}"
        value: Any = written
        for part in problem["loc"]:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if not isinstance(value, dict | list):
                line += f". Received: {value!r}"
        yield line
