"""Defines the library's version, which setup.py and the tags of a run read."""

__version__ = "0.2.0"
