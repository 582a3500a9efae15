"""Packages a model for scoring: the package, its predictor, and the MLflow model around it."""
