"""Computes metrics, the paired bootstrap, comparisons and plots."""
