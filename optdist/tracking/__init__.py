"""Keeps runs and registered models in MLflow."""

from optdist.tracking.existing import open_existing
from optdist.tracking.logged_model import PACKAGE_DIGEST
from optdist.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    LEARNED_UNTIL,
    PROMOTION_REASON,
    Registry,
)
from optdist.tracking.run import Run
from optdist.tracking.tracker import Tracker

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "LEARNED_UNTIL",
    "PACKAGE_DIGEST",
    "PROMOTION_REASON",
    "Registry",
    "Run",
    "Tracker",
    "open_existing",
]
