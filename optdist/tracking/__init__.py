"""Keeps runs and registered models in MLflow."""

from optdist.tracking.existing import open_existing
from optdist.tracking.logged_model import PACKAGE_DIGEST
from optdist.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    LEARNED_UNTIL,
    OUT_OF_TIME_FROM,
    PREVIOUS,
    PROMOTION_REASON,
    Registry,
)
from optdist.tracking.run import Run
from optdist.tracking.tracker import Tracker

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "LEARNED_UNTIL",
    "OUT_OF_TIME_FROM",
    "PACKAGE_DIGEST",
    "PREVIOUS",
    "PROMOTION_REASON",
    "Registry",
    "Run",
    "Tracker",
    "open_existing",
]
