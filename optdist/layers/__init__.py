"""Provides the layers that the models are made of."""

from optdist.layers.cross import CrossNetwork
from optdist.layers.mlp import StackedMLP
from optdist.layers.numeric import PiecewiseLinear
from optdist.layers.representation import Embedding, build_representation

__all__ = ["CrossNetwork", "Embedding", "PiecewiseLinear", "StackedMLP", "build_representation"]
