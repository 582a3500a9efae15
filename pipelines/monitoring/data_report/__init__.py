"""Makes the data report of a feature table: statistics, leak audit, page."""
