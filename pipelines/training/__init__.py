"""Runs training: the pipeline, and the launcher of Horovod ranks in Spark."""
