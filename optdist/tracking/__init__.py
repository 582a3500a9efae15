"""Runs and the model registry: the door to MLflow."""

from optdist.tracking.run import Run
from optdist.tracking.tracker import CHALLENGER, CHAMPION, PROMOTION_REASON, Tracker

__all__ = ["CHALLENGER", "CHAMPION", "PROMOTION_REASON", "Run", "Tracker"]
