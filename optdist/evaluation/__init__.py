"""Metrics, the paired bootstrap, comparisons, plots."""
