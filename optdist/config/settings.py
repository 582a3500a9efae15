"""Defines the remaining sections, and the configuration as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from optdist.config.backtest import BacktestConfig
from optdist.config.dataset import DatasetConfig
from optdist.config.gate import GateConfig
from optdist.config.metrics import METRICS
from optdist.config.model_choice import AnyModelConfig, readers, with_defaults
from optdist.config.models import OptDistConfig
from optdist.config.on_failure import OnFailureConfig
from optdist.config.promotion import PromotionConfig
from optdist.config.report import ReportConfig
from optdist.config.section import FolderName, Positive, Section, Share
from optdist.config.split import SplitConfig
from optdist.config.training import HorovodConfig, TrainingConfig
from optdist.config.transactions import TransactionsSourceConfig
from optdist.layout import Layout


class BuildConfig(Section):
    """How the feature table is written."""

    min_row_groups: Positive = Field(
        default=20,
        description="Smallest number of row groups in a split, one per file. Ranks share them; ten "
        "per rank keep the shares even [row groups]",
    )
    rows_per_group: Positive = Field(
        default=50_000, description="Largest number of rows in a row group [rows]"
    )
    max_quarantined_share: Share = Field(
        default=0.01,
        description="Share of quarantined rows above which the job stops [share of the rows read]",
    )


ScoreColumn = Literal["decile", "percentile", "historic_value", "total_value"]


class ScoringConfig(Section):
    """The daily scoring job."""

    acquired_within_days: Positive | None = Field(
        default=None,
        description="Score only entities whose first purchase is at most this long before the run "
        "date; null: everyone acquired by then [days]",
    )
    max_days_behind: Positive | None = Field(
        default=7,
        description="How far before the run date the newest event may lie; older data are refused. "
        "Null: no check [days]",
    )
    quantiles: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)] = Field(
        default=[0.05, 0.5, 0.95],
        description="Levels of the columns q05, q50, and so on, with at most one decimal of a "
        "percent [probability]",
    )
    batch_rows: Positive = Field(
        default=10_000,
        description="Rows that an executor scores in one step [rows]",
    )
    max_quarantined_share: Share = Field(
        default=0.01,
        description="Share of quarantined rows above which the job stops [share of the rows read]",
    )

    columns: list[ScoreColumn] = Field(
        default=[],
        description="More score columns. percentile and decile: the rank of predicted value among "
        "the date's customers, 100 and 1 the highest. historic_value: what a customer has spent "
        "before the days that the prediction counts; total_value: that and the predicted value, "
        "both of transactions alone (docs/operations.md)",
    )
    max_unknown_share: Share = Field(
        default=0.5,
        description="Unknown categories above which the job stops, for features of which training "
        "knew 95% or more and that are not of the calendar, such as a month [share of the rows "
        "with a category]",
    )

    @model_validator(mode="after")
    def _a_column_each(self) -> Self:
        percents = [round(100 * level, 1) for level in self.quantiles]
        coarse = [
            q for q, p in zip(self.quantiles, percents, strict=True) if abs(100 * q - p) > 1e-9
        ]
        if coarse or len(set(percents)) < len(percents):
            raise ValueError(
                "quantiles must differ and have at most one decimal of a percent, as 0.05 or 0.995"
            )
        return self


class PathsConfig(Section):
    """Where everything is kept; on a cluster, storage that every node mounts."""

    root: str = Field(
        default="artifacts",
        description="Folder for everything that jobs write; a relative path starts where the "
        "command runs",
    )
    group: str | None = Field(
        default=None,
        description="Unix group that may read what jobs write; null: nobody but the user who runs "
        "them",
    )


class TrackingConfig(Section):
    """The MLflow store of runs and the registry of models."""

    uri: str | None = Field(
        default=None,
        description="The store's URI, unless MLFLOW_TRACKING_URI is set; null: an sqlite file "
        "under paths.root",
    )
    experiment: str = Field(
        default="optdist", description="The MLflow experiment that runs belong to"
    )
    model_name: FolderName | None = Field(
        default=None, description="The registered model's name; null: optdist-<data set>"
    )


class Config(Section):
    """Everything that a job needs to know."""

    dataset: DatasetConfig
    split: SplitConfig = SplitConfig()
    build: BuildConfig = BuildConfig()
    report: ReportConfig = ReportConfig()
    model: AnyModelConfig = Field(
        default=OptDistConfig(),
        description="The model to train, and its own settings (section 3, and 4.1.3 for the "
        "baselines).",
    )
    model_defaults: dict[str, Any] = Field(
        default={},
        description="Defaults of `model` for whichever model reads them, such as widths that suit "
        "a data set; settings under `model` win.",
    )
    training: TrainingConfig = TrainingConfig()
    horovod: HorovodConfig = HorovodConfig()
    promotion: PromotionConfig = PromotionConfig()
    scoring: ScoringConfig = ScoringConfig()
    backtest: BacktestConfig = BacktestConfig()
    gate: GateConfig = GateConfig()
    paths: PathsConfig = PathsConfig()
    tracking: TrackingConfig = TrackingConfig()
    on_failure: OnFailureConfig = OnFailureConfig()
    spark: dict[str, str] = Field(
        default={},
        description="Spark's own settings, such as `spark.spark.sql.shuffle.partitions: 64` on the "
        "command line; what Spark reads only at its start must be given to spark-submit",
    )

    # the text as written, ${env:NAME} unresolved: what may be printed, logged and hashed
    written: dict[str, Any] = Field(default={}, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _complete_model(cls, sections: Any) -> Any:
        if not (isinstance(sections, dict) and "model_defaults" in sections):
            return sections
        completed = with_defaults(sections.get("model") or {}, sections["model_defaults"])
        return sections | {"model": completed}

    @field_validator("model_defaults")
    @classmethod
    def _read_by_a_model(cls, defaults: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        model = info.data.get("model")
        if model is None:  # it has problems of its own
            return defaults
        chosen = type(model).model_fields
        unread = [name for name in defaults if not (name in chosen or readers(name))]
        if unread or "name" in defaults:
            raise ValueError(
                f"no model reads {', '.join(unread)}"
                if unread
                else "choose the model by model.name, not here"
            )
        return defaults

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        if self.training.ranks > self.build.min_row_groups:
            raise ValueError(
                f"training.ranks ({self.training.ranks}) is more than build.min_row_groups "
                f"({self.build.min_row_groups}): each rank needs a row group of its own"
            )
        return self

    @model_validator(mode="after")
    def _score_columns_can_be_made(self) -> Self:
        columns, dataset = self.scoring.columns, self.dataset
        features = {*dataset.features.categorical, *dataset.features.numeric}
        taken = sorted({*columns, "historic_value"} & {*dataset.id, *features}) if columns else []
        if taken:
            raise ValueError(f"scoring.columns: the data set has a column {', '.join(taken)}")
        past = [name for name in columns if name in {"historic_value", "total_value"}]
        if past and not isinstance(dataset.source, TransactionsSourceConfig):
            raise ValueError(f"scoring.columns: {', '.join(past)} needs a source of transactions")
        return self

    @model_validator(mode="after")
    def _newest_dates_can_be_held_out(self) -> Self:
        if self.split.by == "time":
            problem = self.split.explain_no_time(self.dataset.source)
            if problem:
                raise ValueError(problem)
        elif self.promotion.reads_out_of_time:
            raise ValueError(
                "promotion.split: out_of_time and promotion.out_of_time_gates need split.by: time"
            )
        return self

    @model_validator(mode="after")
    def _model_has_the_metrics(self) -> Self:
        named = {
            "training.stop_metric": [self.training.stop_metric],
            "promotion.metric": [self.promotion.metric],
            "promotion.gates": self.promotion.gates,
            "backtest.alarms": self.backtest.alarms,
            "promotion.out_of_time_gates": self.promotion.out_of_time_gates,
        }
        refused = [
            f"{setting} cannot use {name}"
            for setting, names in named.items()
            for name in names
            if METRICS[name].needs_distribution
        ]
        if refused and not self.model.has_distribution:
            raise ValueError(
                f"{self.model.name} does not predict a distribution: {', '.join(refused)}"
            )
        return self

    @property
    def root(self) -> Path:
        """The absolute folder of all artifacts."""
        return Path(self.paths.root).expanduser().resolve()

    @property
    def layout(self) -> Layout:
        """Every folder below the root."""
        return Layout(self.root, self.dataset.name)

    @property
    def model_name(self) -> str:
        """The registered model's name."""
        return self.tracking.model_name or f"optdist-{self.dataset.name}"

    def printable(self, *, defaults: bool = True) -> dict[str, Any]:
        """Every setting, or those that differ from their `defaults`; `${env:NAME}` as written."""
        settings = self.model_dump(mode="json", exclude_defaults=not defaults)
        shown: dict[str, Any] = _overlaid(settings, self.written)
        return shown


def _overlaid(value: Any, written: Any) -> Any:
    """`value` with the texts of `written` that name an environment variable."""
    if isinstance(value, dict) and isinstance(written, dict):
        return {key: _overlaid(inner, written.get(key)) for key, inner in value.items()}
    if isinstance(value, list) and isinstance(written, list) and len(value) == len(written):
        return [_overlaid(inner, text) for inner, text in zip(value, written, strict=True)]
    return written if isinstance(written, str) and "${" in written else value
