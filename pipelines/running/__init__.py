"""Runs a job: its exit code, result file, messages, and what happens when it is stopped."""
