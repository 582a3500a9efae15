"""The training pipeline and the launcher of Horovod ranks in Spark."""
