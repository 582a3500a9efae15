"""A small experiment on the made-up table, for tests that need no Spark."""

import yaml

from pipelines.experiments.plan.config import ExperimentConfig
from pipelines.experiments.plan.grid import Grid
from pipelines.experiments.plan.results import Results
from pipelines.experiments.plan.schedule import schedule
from pipelines.experiments.plan.store import Store
from pipelines.experiments.run.runner import BuiltTable, Runner

DATASET = {
    "name": "made",
    "id": ["customer"],
    "split_key": ["customer"],
    "source": {
        "kind": "samples",
        "tables": {"samples": {"path": "samples.parquet"}},
        "label": "label",
    },
    "features": {"categorical": ["city"], "numeric": {"spend": {"log1p": True}}},
}
MODELS = {"ZILN": {"model.name": "ziln"}, "OptDist": {"model.name": "optdist"}}
TREES = {"trials": [{"num_leaves": 4}, {"num_leaves": 8}], "rounds": 40, "patience": 10}


def experiment(folder, **changes):
    """An experiment of two models, two learning rates and two seeds."""
    path = folder / "made.yaml"
    path.write_text(yaml.safe_dump(DATASET))
    small = {
        "training.ranks": 1,
        "training.epochs": 2,
        "training.batch_size": 512,
        "model_defaults.sdn": [8],
        "model_defaults.tower": [8],
        "model_defaults.dsm": [8],
    }
    made = {
        "name": "small",
        "datasets": {str(path): {}},
        "set": small,
        "models": MODELS,
        "learning_rates": [1e-3, 1e-2],
        "seeds": [1, 2],
        "lightgbm": TREES,
        "bootstrap": {"replicates": 20},
    }
    return ExperimentConfig.model_validate(made | changes)


class Run:
    """A run of an experiment over a table, with what it reported."""

    def __init__(self, folder, table, wanted, overrides=()):
        self.cells, self.blocks = [], []
        self.grid = Grid(wanted, overrides=[f"paths.root={folder}", *overrides])
        self.results = Results(self.grid, Store(folder / "results"), {"made": "data"})
        self.runner = Runner(
            self.results,
            {"made": BuiltTable(str(table.path), "made")},
            folder / "runs",
            workers=2,
            on_cell=self.cells.append,
            on_block=self.blocks.append,
        )

    def go(self):
        self.runner.run(schedule(self.grid))
        return self
