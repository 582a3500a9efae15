"""Removes customers from everything that jobs have written: `jobs/forget.py`."""
