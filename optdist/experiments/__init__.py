"""Experiments: grids of small training runs, their records, and the report made from these."""
