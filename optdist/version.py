"""The version of the library: setup.py and the tags of a run read it."""

__version__ = "0.2.0"
