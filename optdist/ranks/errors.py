"""Defines what a rank raises when it is not to blame."""


class MissingRankError(RuntimeError):
    """Another rank is gone: not a reason of this one's own."""
