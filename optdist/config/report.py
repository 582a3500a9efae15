"""Settings of the data report: when a feature is too good to be true, and what may be shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from optdist.config.section import Positive, Section, Share


class ReportConfig(Section):
    """The data report that is made with the features (`report.html`), and its leak audit."""

    max_feature_auc: Share = Field(
        default=0.95,
        description="AUC for a positive label, of one feature alone, from which on it is flagged "
        "as a leak",
    )
    max_feature_gini: Share = Field(
        default=0.9,
        description="Norm-GINI of one feature alone from which on it is flagged as a leak",
    )
    max_category_share: Share = Field(
        default=0.995,
        description="Share of positive labels among the rows of one category, in training and in "
        "held-out rows, above which its feature is flagged as a leak; only where no more than "
        "half of all labels are positive. 1: never",
    )
    max_duplicate_share: Share = Field(
        default=0.05,
        description="Share of the validation and test rows with a positive label whose features "
        "and label may be those of a training row",
    )
    max_drift: Annotated[float, Field(gt=0)] = Field(
        default=0.25,
        description="Population stability index between the samples of one training date and all "
        "training samples from which on the report marks a feature as drifting",
    )
    min_category_rows: Positive = Field(
        default=20,
        description="Categories of fewer training rows are not named in the report [rows]",
    )
    stop_on_leak: bool = Field(
        default=False,
        description="Stop the job where the audit flags a leak; else it warns and goes on",
    )
