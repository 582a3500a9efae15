"""Runs and the model registry: the door to MLflow."""

from optdist.tracking.run import Run
from optdist.tracking.tracker import CHALLENGER, CHAMPION, Tracker

__all__ = ["CHALLENGER", "CHAMPION", "Run", "Tracker"]
