"""Looks at data and scores: the data report of a feature table."""
