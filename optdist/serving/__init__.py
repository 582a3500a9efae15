"""The model package, its predictor, and the MLflow model around it."""
