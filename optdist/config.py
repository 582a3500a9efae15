"""The configuration: YAML files merged in order, checked as a whole, secrets kept out of print.

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
from typing import Annotated, Any, Literal, Self

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from optdist.errors import ConfigError
from optdist.source import Name, Positive, Source

CONF_DIR = Path(__file__).resolve().parent.parent / "conf"

Share = Annotated[float, Field(ge=0, le=1)]


def _environment_variable(name: str) -> str:
    if name not in os.environ:
        raise ConfigError(f"The environment variable {name} is not set, but a config names it.")
    return os.environ[name]


OmegaConf.register_resolver("env", _environment_variable, replace=True)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Numeric(_Section):
    """How one numeric feature is encoded."""

    log1p: bool = False  # sign(x) * log(1 + |x|) before the z-score


class Features(_Section):
    """The sample table's columns that the model reads."""

    categorical: list[Name] = []
    numeric: dict[Name, Numeric] = {}
    min_frequency: Positive = 5  # rarer categories become out-of-vocabulary
    max_vocabulary: Positive = 100_000

    @field_validator("numeric", mode="before")
    @classmethod
    def _defaults(cls, value: Any) -> Any:
        if isinstance(value, list):
            return {name: {} for name in value}
        return {k: v or {} for k, v in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.categorical and not self.numeric:
            raise ValueError("at least one categorical or numeric feature is needed")
        both = set(self.categorical) & set(self.numeric)
        if both:
            raise ValueError(f"features named twice: {', '.join(sorted(both))}")
        return self


class Dataset(_Section):
    """A data set: source, identity, features (`conf/datasets/*.yaml`)."""

    name: Name
    description: str = ""
    id: list[Name]  # one sample each (with snapshots: one per date); in transactions, the entity
    split_key: list[Name]  # rows that agree in it fall in one split
    source: Source
    features: Features

    @property
    def sample_id(self) -> list[str]:
        """The columns that name one sample: the id, with snapshots also the date."""
        return self.id if self.source.snapshots is None else [*self.id, self.source.cut]

    @model_validator(mode="after")
    def _one_split_per_entity(self) -> Self:
        others = sorted(set(self.split_key) - set(self.id))
        if self.source.snapshots is not None and others:
            raise ValueError(
                "an entity's snapshots must fall in one split, so split_key may only name columns "
                f"of id, not {', '.join(others)}"
            )
        return self


class Split(_Section):
    """Shares of train, validation and test, and the seed of the hash (paper 4.1.1: 7:1:2)."""

    train: Share = 0.7
    validation: Share = 0.1
    test: Share = 0.2
    seed: int = 20240

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError("train + validation + test must be 1")
        return self


class Build(_Section):
    """How the feature table is written."""

    min_row_groups: Positive = 20  # per split; Petastorm shards are row groups, ten a rank do
    rows_per_group: Positive = 50_000
    max_quarantined_share: Share = 0.01


class TwoStage(_Section):
    """What the sources leave open of two-stage."""

    rows: Literal["converted", "weighted", "all"] = "converted"  # of the regressor
    shared_representation: bool = False


class MtlMse(_Section):
    """What the sources leave open of MTL-MSE."""

    shared: Literal["representation", "tower"] = "representation"
    error: Literal["value", "product"] = "value"  # what the squared error is of
    mse_weight: Annotated[float, Field(gt=0)] = 1.0  # beside cross-entropy, in nats


class Mdme(_Section):
    """What the sources leave open of MDME."""

    sub_distributions: Positive = 3  # of the positive labels; zeros have their own beside them
    buckets: Positive = 4  # in each sub-distribution
    ordinal_weight: Annotated[float, Field(ge=0)] = 1.0
    distillation_weight: Annotated[float, Field(ge=0)] = 1.0
    position_weight: Annotated[float, Field(gt=0)] = 1.0


class Mdan(_Section):
    """What the sources leave open of MDAN."""

    buckets: Positive = 4  # of the positive labels; zeros have their own beside them
    similarity: Literal["channels", "rows"] = "channels"  # of which embeddings
    similarity_weight: Annotated[float, Field(ge=0)] = 0.1
    mse_weight: Annotated[float, Field(gt=0)] = 1.0  # beside cross-entropy, in nats


class Model(_Section):
    """The model and its sizes (paper section 3, 4.1.4)."""

    name: str = "optdist"
    num_sdns: Annotated[int, Field(ge=1)] = 4
    embedding_dim: Positive = 5
    representation: str = "embedding"  # a registered name, or `package.module:Class` (section 3.2)
    numeric: Literal["zscore", "piecewise"] = "piecewise"  # the paper has "zscore"
    numeric_bins: Positive = 16  # of equal training frequency, per number
    cross_layers: Annotated[int, Field(ge=0)] = 0  # of DCN v2's cross network, before the bottom
    cross_rank: Positive = 32
    bottom: list[Positive] = []  # widths of the shared bottom layers
    tower: list[Positive] = [64, 64, 64]  # of the models with one tower a task (4.1.4)
    sdn: list[Positive] = [64, 32, 32]  # of each SDN, bucket or channel network (4.1.4)
    dsm: list[Positive] = [64]
    temperature: Annotated[float, Field(gt=0)] = 1.0
    gumbel: Literal["soft", "hard", "none"] = "soft"
    ce_weight: Annotated[float, Field(ge=0)] = 1.0
    kl_weight: Annotated[float, Field(ge=0)] = 1.0
    focal_exponent: Annotated[float, Field(ge=0)] = 2.0
    sigma_min: Annotated[float, Field(gt=0)] = 0.05
    sigma_max: Annotated[float, Field(gt=0)] = 2.5
    inference: Literal["hard", "top2", "soft"] = "soft"  # the papers have "hard" (Eq. 18)
    interval: Annotated[float, Field(gt=0, lt=1)] = 0.9  # share of rows that intervals hold
    two_stage: TwoStage = TwoStage()
    mtl_mse: MtlMse = MtlMse()
    mdme: Mdme = Mdme()
    mdan: Mdan = Mdan()


class Training(_Section):
    """One training run."""

    ranks: Positive = 2
    seed: Positive = 1
    batch_size: Positive = (
        2048  # of all ranks together, so that their number changes no result much
    )
    epochs: Positive = 12
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3  # of the paper's grid (4.1.4)
    schedule: Literal["constant", "cosine"] = "cosine"
    clip_norm: Annotated[float, Field(gt=0)] | None = 5.0
    stop_metric: Literal["normalized_gini", "spearman", "mae", "nll"] = "normalized_gini"
    patience: Positive = 4
    shuffle_buffer_rows: Positive = 262_144  # of each rank; a shard that fits is read once
    sparse_as_dense: bool = True
    threads_per_rank: Positive | None = None  # None: the host's cores shared by its ranks
    start_timeout_seconds: Positive = 300
    nics: list[str] = []  # network interfaces for Horovod on hosts with several


class Gate(_Section):
    """An allowed interval of one test metric."""

    min: float | None = None
    max: float | None = None


class Promotion(_Section):
    """When a challenger becomes champion."""

    metric: Literal["normalized_gini", "spearman", "mae"] = "normalized_gini"
    min_improvement: float = 0.0  # in the metric's unit, on the same rows
    gates: dict[str, Gate] = {}


class Scoring(_Section):
    """The daily scoring job."""

    acquired_within_days: Positive | None = None  # None: everyone acquired by the run date
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = [0.05, 0.5, 0.95]
    batch_rows: Positive = 10_000
    max_quarantined_share: Share = 0.01


class Paths(_Section):
    """Where everything is kept; on a cluster, storage that every node mounts."""

    root: str = "artifacts"


class Tracking(_Section):
    """MLflow: MLFLOW_TRACKING_URI wins over `uri`; the default is an sqlite file under the root."""

    uri: str | None = None
    experiment: str = "optdist"
    model_name: str | None = None  # None: optdist-<data set>


class Config(_Section):
    """Everything that a job needs to know."""

    dataset: Dataset
    split: Split = Split()
    build: Build = Build()
    model: Model = Model()
    training: Training = Training()
    promotion: Promotion = Promotion()
    scoring: Scoring = Scoring()
    paths: Paths = Paths()
    tracking: Tracking = Tracking()
    spark: dict[str, str] = {}  # Spark settings

    # the text as written, ${env:NAME} unresolved: what may be printed, logged and hashed
    written: dict[str, Any] = Field(default={}, exclude=True, repr=False)

    @property
    def root(self) -> Path:
        """The absolute folder of all artifacts."""
        return Path(self.paths.root).expanduser().resolve()

    @property
    def model_name(self) -> str:
        """The registered model's name."""
        return self.tracking.model_name or f"optdist-{self.dataset.name}"

    def printable(self) -> dict[str, Any]:
        """Every setting, defaults included, with `${env:NAME}` as it was written."""
        shown: dict[str, Any] = _overlaid(self.model_dump(mode="json"), self.written)
        return shown


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
            _read_yaml(conf_dir / "base.yaml"),
            _read_yaml(conf_dir / "env" / f"{env}.yaml"),
            _dataset_layer(_read_yaml(dataset_path)),
            OmegaConf.from_dotlist(list(overrides)),
        ]
        merged = OmegaConf.merge(*layers)
        written = OmegaConf.to_container(merged, resolve=False)
        resolved = OmegaConf.to_container(merged, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"The configuration cannot be merged: {error}") from error
    return config_from(_plain(resolved), _plain(written))


def config_from(resolved: Mapping[str, Any], written: Mapping[str, Any] | None = None) -> Config:
    """Check a merged configuration (`resolved`) and keep it as `written` for print."""
    written = dict(resolved if written is None else written)
    try:
        return Config(**resolved, written=written)
    except ValidationError as error:
        problems = "\n".join(f"  - {line}" for line in _problems(error, written))
        raise ConfigError(f"The configuration has these problems:\n{problems}") from None


def fingerprint(value: Any) -> str:
    """A short stable hash of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _dataset_layer(written: dict[str, Any]) -> dict[str, Any]:
    """A data set file holds the data set itself, and may carry other sections for it."""
    sections = set(Config.model_fields) - {"dataset", "written"}
    layer = {key: written.pop(key) for key in list(written) if key in sections}
    return {"dataset": written, **layer}


def _overlaid(value: Any, written: Any) -> Any:
    """`value` with the texts of `written` that name an environment variable."""
    if isinstance(value, dict) and isinstance(written, dict):
        return {key: _overlaid(inner, written.get(key)) for key, inner in value.items()}
    if isinstance(value, list) and isinstance(written, list) and len(value) == len(written):
        return [_overlaid(inner, text) for inner, text in zip(value, written, strict=True)]
    return written if isinstance(written, str) and "${" in written else value


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


def _read_yaml(path: Path) -> dict[str, Any]:
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


def _problems(error: ValidationError, written: Mapping[str, Any]) -> Iterator[str]:
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
