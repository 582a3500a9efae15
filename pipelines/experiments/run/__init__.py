"""How an experiment's cells are trained."""
