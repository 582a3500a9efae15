"""Training: one worker function, in one process or on many Horovod ranks."""

from optdist.training.plan import TrainingPlan
from optdist.training.worker import train

__all__ = ["TrainingPlan", "train"]
