"""What an experiment found, as tables and figures."""
