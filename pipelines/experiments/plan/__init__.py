"""Plans an experiment: what it runs, and which parts of it are finished."""
