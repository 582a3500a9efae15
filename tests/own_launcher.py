"""A training engine from outside the package: `training.engine: own_launcher:NewProcess`."""

import subprocess
import sys

from optdist.training import RunFolder

TRAIN = """
import sys
from optdist.training import TrainingPlan, train

train(TrainingPlan.model_validate_json(sys.stdin.read()))
"""


class NewProcess:
    """Trains in a process of its own."""

    @classmethod
    def from_config(cls, config):
        return cls()

    def launch(self, plan, on_event):
        subprocess.run(
            [sys.executable, "-c", TRAIN], input=plan.model_dump_json().encode(), check=True
        )
        folder = RunFolder(plan.path)
        for record in folder.history():
            on_event({"event": "epoch", "epochs": plan.training.epochs, **record.model_dump()})
        return folder.result()
