"""What an experiment runs, and what of it is finished."""
