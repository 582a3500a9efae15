"""Reports the results of an experiment as tables and figures."""
