"""Scores a date with a registered model: the daily job."""
