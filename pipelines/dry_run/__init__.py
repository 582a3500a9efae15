"""Dry runs: what a job would check, read and write, found in seconds and without writing."""
