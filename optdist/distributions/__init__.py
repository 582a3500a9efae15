"""Defines zero-inflated lognormals, their mixtures, and the calibration of both."""
