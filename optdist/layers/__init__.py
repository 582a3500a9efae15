"""Layers that the models are made of."""

from optdist.layers.mlp import StackedMLP
from optdist.layers.representation import Embedding, build_representation

__all__ = ["Embedding", "StackedMLP", "build_representation"]
