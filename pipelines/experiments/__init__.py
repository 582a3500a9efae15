"""Compares models on data sets in experiments: the research harness."""
