"""Keeps how each column of data and scores changes, one row per column and date, and draws it."""
