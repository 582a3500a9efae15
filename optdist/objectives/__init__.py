"""Computes the objectives that train a selection: Gumbel-softmax, alignment, ordinal regression."""
