"""Runs all that needs Spark: tables, samples, features, launching ranks, scoring, promotion."""
