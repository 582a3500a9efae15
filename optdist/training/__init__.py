"""Trains a model: one worker function, in one process or on many ranks, and its launchers."""

from optdist.training.launcher import Launcher
from optdist.training.plan import TrainingPlan
from optdist.training.result import EpochRecord, TrainingResult
from optdist.training.run_folder import Registration, RunFolder
from optdist.training.worker import train

__all__ = [
    "EpochRecord",
    "Launcher",
    "Registration",
    "RunFolder",
    "TrainingPlan",
    "TrainingResult",
    "train",
]
