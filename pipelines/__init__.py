"""Spark's home: tables, samples, features, launching ranks, scoring, promotion."""
