"""Raw rows to samples, and samples to a feature table."""
