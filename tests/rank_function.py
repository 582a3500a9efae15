"""What a test starts on ranks in the place of training: importable there by PYTHONPATH."""

import os


def environment():
    """The rank's environment."""
    return dict(os.environ)
