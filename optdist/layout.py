"""Names every folder below `paths.root`, so that nobody else has to.

- `features/DATASET/FINGERPRINT`: a feature table
- `runs/unfinished-DATASET-PLAN`, `runs/RUN`: a training run before and after its end
- `models/NAME/VERSION-DIGEST`: a registered version's package, fetched from MLflow
- `scores/DATASET/run_date=DATE`: scores, next to `_...` folders that readers skip
- `results/JOB/DATASET`: what each run of a job did, as JSON
- `monitoring/DATASET/drift/*.parquet`, `monitoring/DATASET/drift.html`: what the gate saw
- `experiments/NAME/{runs,results,report}`
- `backtests/DATASET`: the last backtest, and the models that were trained for backtests
- `receipts/DATASET`: which customers were forgotten, as hashes
- `mlflow.db`, `mlartifacts`: the local registry
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optdist.errors import ConfigError

_RUN_DATE = "run_date="


def check_folder_name(name: str) -> str:
    """Return the name if it can be the name of one folder.

    Raises:
        ValueError: the name is empty or would lead to another folder.
    """
    if name in {"", ".", ".."} or any(character in name for character in "/\\\0"):
        raise ValueError(
            "a folder is named after it, so it must not be empty, '.' or '..', or contain "
            "a slash or backslash"
        )
    return name


@dataclass(frozen=True)
class ScoresFolder:
    """The folders of a data set's scores; what begins with an underscore is hidden from readers."""

    path: Path

    def date(self, run_date: dt.date | str) -> Path:
        """The scores of a date, which a job locks while it scores the date."""
        return _child(self.path, f"{_RUN_DATE}{run_date}")

    def dates(self) -> list[Path]:
        """The folders of all dates that have scores."""
        return sorted(self.path.glob(f"{_RUN_DATE}*"))

    def run_dates(self) -> list[dt.date]:
        """The dates that have scores, ascending."""
        names = [folder.name.removeprefix(_RUN_DATE) for folder in self.dates()]
        return sorted(dt.date.fromisoformat(name) for name in names if _is_date(name))

    def staging(self, run_date: dt.date | str) -> Path:
        """Scores of a date that are not published yet."""
        return self.path / "_staging" / self.date(run_date).name

    def inputs(self, run_date: dt.date | str) -> Path:
        """The samples that a date was scored with, in a folder for each time they were read."""
        return _child(self.path / "_inputs", str(run_date))

    def quarantine(self, run_date: dt.date | str) -> Path:
        """The bad rows of a date's last reading, with their reasons."""
        return self.path / "_quarantine" / self.date(run_date).name

    def manifest_copy(self, run_date: dt.date | str) -> Path:
        """A copy of a date's manifest, to look at."""
        return _child(self.path / "_manifests", f"{run_date}.json")

    def kept_inputs(self) -> Iterator[tuple[Path, Path]]:
        """Each folder of samples, and the date's folder, which is locked while one is written."""
        for path in self.path.glob("_inputs/*/*"):
            yield path, self.date(path.parent.name)

    def staged(self) -> Iterator[tuple[Path, Path]]:
        """Each folder of unpublished scores, and the date's folder, locked while one is written."""
        for path in self.path.glob("_staging/*"):
            yield path, self.path / path.name


@dataclass(frozen=True)
class DriftFolder:
    """A data set's drift table: a file for each scored date and each training, and the page."""

    path: Path

    def scoring(self, run_date: dt.date | str) -> Path:
        """The rows of a scored date."""
        return _child(self.path / "drift", f"scoring-{run_date}.parquet")

    def training(self, fingerprint: str) -> Path:
        """The rows of a training, by its feature table's fingerprint."""
        return _child(self.path / "drift", f"training-{fingerprint}.parquet")

    def files(self) -> list[Path]:
        """All files of the table."""
        return sorted((self.path / "drift").glob("*.parquet"))

    @property
    def page(self) -> Path:
        """The page that shows the table over time."""
        return self.path / "drift.html"


@dataclass(frozen=True)
class ExperimentFolder:
    """The folders of an experiment."""

    path: Path

    @property
    def runs(self) -> Path:
        """The run folders of cells that are not finished; locked while the experiment runs."""
        return self.path / "runs"

    @property
    def results(self) -> Path:
        """The records of finished cells."""
        return self.path / "results"

    @property
    def report(self) -> Path:
        """The report and its figures."""
        return self.path / "report"


@dataclass(frozen=True)
class BacktestFolder:
    """The folders of a data set's backtests; a job locks the folder while it works there."""

    path: Path

    @property
    def page(self) -> Path:
        """The report as a page."""
        return self.path / "report.html"

    @property
    def figures(self) -> Path:
        """Everything that the page shows, as JSON."""
        return self.path / "backtest.json"

    @property
    def work(self) -> Path:
        """What a running job keeps for itself."""
        return self.path / "_work"

    def trained(self, plan: str) -> Path:
        """The package of a model that was trained as of a past date, by its plan's fingerprint."""
        return _child(self.path / "trained", plan)


@dataclass(frozen=True)
class Layout:
    """The folders of a data set, and those that all data sets share, below one root.

    Attributes:
        root: the absolute folder of all artifacts.
        dataset: the data set's name.
    """

    root: Path
    dataset: str

    @property
    def feature_tables(self) -> Path:
        """The parent of the data set's feature tables."""
        return _child(self.root / "features", self.dataset)

    def feature_table(self, fingerprint: str) -> Path:
        """The feature table of a fingerprint."""
        return _child(self.feature_tables, fingerprint)

    def run(self, run_id: str) -> Path:
        """The folder of a training run that has ended, by its MLflow run."""
        return _child(self.root / "runs", run_id)

    def unfinished_run(self, plan: str) -> Path:
        """The folder of a training run until it ends, by the fingerprint of its plan."""
        return _child(self.root / "runs", f"unfinished-{self.dataset}-{plan}")

    def unfinished_runs(self) -> list[Path]:
        """The data set's training runs that have not ended."""
        return sorted((self.root / "runs").glob(self.unfinished_run("*").name))

    def package(self, model: str, version: str, digest: str) -> Path:
        """A registered version's package.

        Args:
            model: the registered model's name.
            version: its version.
            digest: hash of the version's origin, because another registry may have the same
                names and numbers.
        """
        return _child(_child(self.root / "models", model), f"{version}-{digest}")

    def packages(self, model: str) -> Iterator[tuple[str, Path]]:
        """The version and the folder of each package of a registered model."""
        for path in _child(self.root / "models", model).glob("*"):
            yield path.name.partition("-")[0], path

    @property
    def scores(self) -> ScoresFolder:
        """The data set's scores."""
        return ScoresFolder(_child(self.root / "scores", self.dataset))

    @property
    def backtest(self) -> BacktestFolder:
        """The data set's backtests."""
        return BacktestFolder(_child(self.root / "backtests", self.dataset))

    @property
    def drift(self) -> DriftFolder:
        """What the gate saw of the data set, date by date."""
        return DriftFolder(_child(self.root / "monitoring", self.dataset))

    def experiment(self, name: str) -> ExperimentFolder:
        """An experiment's folders."""
        return ExperimentFolder(_child(self.root / "experiments", name))

    def results(self, job: str) -> Path:
        """The result files of a job on the data set."""
        return _child(_child(self.root / "results", job), self.dataset)

    @property
    def receipts(self) -> Path:
        """The receipts of customers who were forgotten."""
        return _child(self.root / "receipts", self.dataset)

    @property
    def registry(self) -> Path:
        """The sqlite file of the local MLflow store."""
        return self.root / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """Where the local MLflow store keeps artifacts."""
        return self.root / "mlartifacts"


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _child(folder: Path, name: str) -> Path:
    try:
        return folder / check_folder_name(name)
    except ValueError as error:
        raise ConfigError(f"{name!r} cannot be a folder below {folder}: {error}.") from error
