"""Reads configurations: merges YAML files in order and checks the whole.

`conf/base.yaml` <- `conf/env/NAME.yaml` <- the data set's YAML <- `--set section.key=value`.
`${env:NAME}` is replaced by the variable's value when the configuration is checked. Whatever
is printed, logged or hashed has the files' own text, so that a secret never leaves the process.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from optdist.config.merging import read_changes, require_same_kinds
from optdist.config.on_failure import OnFailureConfig
from optdist.config.plain import plain_yaml
from optdist.config.problems import problems
from optdist.config.secrets import hide_secrets, plain_secrets, unset_variables
from optdist.config.settings import Config
from optdist.errors import ConfigError

_VARIABLE = "OPTDIST_CONF"
_CLONE = Path(__file__).resolve().parents[2]


def _require_variables(written: Any) -> None:
    """Refuse a configuration that uses variables which are not set, naming all of them."""
    unset = unset_variables(written)
    if len(unset) > 1:
        raise ConfigError(
            f"The configuration uses environment variables that are not set: {', '.join(unset)}."
        )


def _environment_variable(name: str) -> str:
    if name not in os.environ:
        raise ConfigError(
            f"The configuration uses the environment variable {name}, which is not set."
        )
    return os.environ[name]


OmegaConf.register_resolver("env", _environment_variable, replace=True)


def load_config(
    dataset: str | Path = "complete_journey",
    env: str = "local",
    overrides: Sequence[str] = (),
) -> Config:
    """Read, merge and check a configuration.

    Args:
        dataset: the name of a file in `conf/datasets`, or a path that ends in .yaml.
        env: the name of a file in `conf/env`; where there is no conf folder, only `local`, which is
            then the built-in defaults.
        overrides: `section.key=value` each, values in YAML.

    Raises:
        ConfigError: listing every unknown key, missing key and wrong value at once, or every
            password that is not written as `${env:NAME}`.
    """
    path = named_file(dataset, "datasets")
    try:
        layers = [*_shared_layers(env), _dataset_layer(read_yaml(path)), read_changes(overrides)]
        require_same_kinds(layers)
        merged = OmegaConf.merge(*layers)
        written = OmegaConf.to_container(merged, resolve=False)
        _refuse_plain_secrets(written)
        _require_variables(written)
        resolved = OmegaConf.to_container(merged, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"The configuration cannot be merged: {error}") from error
    return config_from(_with_spark_keys(resolved), _with_spark_keys(written))


def _refuse_plain_secrets(written: Any) -> None:
    """Refuse passwords as they are, before an error can quote one."""
    plain = plain_secrets(written)
    if plain:
        raise ConfigError(
            f"{', '.join(plain)}: a secret as it is would be logged with every run. Write "
            f"${{env:NAME}} in its place, and set that environment variable."
        )


def read_on_failure(
    dataset: str | Path | None, env: str, overrides: Sequence[str] = ()
) -> OnFailureConfig:
    """The section `on_failure` alone, also of a configuration that is wrong elsewhere.

    Args:
        dataset: as in `load_config`; None: a job without a data set.
        env: as in `load_config`.
        overrides: as in `load_config`.

    Raises:
        ConfigError: the section itself is wrong, or its variables are not set.
    """
    sources: list[Callable[[], list[dict[str, Any]]]] = [lambda: _shared_layers(env)]
    if dataset is not None:
        sources.append(lambda: [read_yaml(named_file(dataset, "datasets"))])
    sources.append(lambda: [read_changes([text for text in overrides if _is_hook(text)])])
    sections = []
    for read in sources:
        with suppress(ConfigError, OmegaConfBaseException):
            sections += [{"on_failure": layer.get("on_failure") or {}} for layer in read()]
    try:
        merged = OmegaConf.merge({"on_failure": {}}, *sections)
        return OnFailureConfig.model_validate(
            OmegaConf.to_container(merged.on_failure, resolve=True)
        )
    except (OmegaConfBaseException, ValidationError, ValueError) as error:
        raise ConfigError(f"on_failure cannot be used: {type(error).__name__}.") from error


def _is_hook(change: str) -> bool:
    return change.lstrip().startswith("on_failure")


def conf_folder() -> Path | None:
    """The folder with base.yaml, env/, datasets/ and experiments/.

    Returns:
        The folder that OPTDIST_CONF names, or else `conf` of the clone that this code is in; None
        if optdist was installed from its wheel, which contains only the library.

    Raises:
        ConfigError: OPTDIST_CONF names no such folder.
    """
    chosen = os.environ.get(_VARIABLE)
    if chosen and not Path(chosen).is_dir():
        raise ConfigError(f"{_VARIABLE} is {chosen}, which is not a folder.")
    if chosen:
        return Path(chosen).resolve()
    conf = _CLONE / "conf"
    return conf if (conf / "base.yaml").is_file() else None


def named_file(name: str | Path, kind: str) -> Path:
    """The YAML file that a user names, by its path or by its name in a conf folder.

    Args:
        name: a path that ends in .yaml or .yml, or the name of a file in `conf/KIND`.
        kind: `datasets`, `env` or `experiments`.

    Raises:
        ConfigError: a name, and no conf folder to look in.
    """
    if Path(name).suffix in {".yaml", ".yml"}:
        return Path(name)
    conf = conf_folder()
    if conf is None:
        raise ConfigError(
            f"{name} names a file in conf/{kind}, but optdist is installed without a conf "
            f"folder. Give the path of a YAML file, or set {_VARIABLE} to a conf folder."
        )
    return conf / kind / f"{name}.yaml"


def _shared_layers(env: str) -> list[dict[str, Any]]:
    """The settings that all data sets share, then those of the environment."""
    conf = conf_folder()
    if conf is None and env == "local":
        return []
    environment = read_yaml(named_file(env, "env"))
    base = conf / "base.yaml" if conf else None
    return [read_yaml(base) if base and base.is_file() else {}, environment]


def config_from(resolved: Mapping[str, Any], written: Mapping[str, Any] | None = None) -> Config:
    """Check a merged configuration.

    Args:
        resolved: its values, with those of environment variables.
        written: the same with `${env:NAME}`, which is what is printed; None: `resolved`.

    Raises:
        ConfigError: listing every problem at once.
    """
    written = dict(resolved if written is None else written)
    if "written" in resolved:  # a field of the class alone
        raise ConfigError("The configuration has these problems:\n  - written is not a setting.")
    try:
        return Config.model_validate({**resolved, "written": written})
    except ValidationError as error:
        lines = "\n".join(f"  - {line}" for line in problems(error, written, Config))
        message = f"The configuration has these problems:\n{lines}"
        raise ConfigError(hide_secrets(message, written)) from None


def fingerprint(value: Any) -> str:
    """A short stable hash of a value that JSON can represent."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _dataset_layer(written: dict[str, Any]) -> dict[str, Any]:
    """The sections of a data set's file: the data set itself, and others that it may set."""
    sections = set(Config.model_fields) - {"dataset", "written"}
    layer = {key: written.pop(key) for key in list(written) if key in sections}
    return {"dataset": written, **layer}


def _with_spark_keys(merged: Any) -> dict[str, Any]:
    """The configuration with Spark's dotted keys joined again, which `--set` splits at the dots."""
    flat: dict[str, Any] = {}

    def collect(value: Mapping[str, Any], prefix: str) -> None:
        for key, inner in value.items():
            if isinstance(inner, Mapping):
                collect(inner, f"{prefix}{key}.")
            else:
                flat[f"{prefix}{key}"] = inner if isinstance(inner, str) else json.dumps(inner)

    spark = merged.get("spark") or {}
    if not isinstance(spark, Mapping):
        return dict(merged)  # refused as every other wrong value
    collect(spark, "")
    return {**merged, "spark": flat}


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's mapping, dates as text.

    Raises:
        ConfigError: the file is missing, is not YAML, or contains something else.
    """
    if not os.path.isfile(path):  # False too for a name that no file can have
        names = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ConfigError(f"{path} does not exist. Found there: {', '.join(names) or 'nothing'}.")
    try:
        content = plain_yaml(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file of UTF-8: {error}.") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must contain a mapping of keys to values.")
    return content
