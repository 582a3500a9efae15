"""Trains an experiment's cells."""
