"""Starts the processes of a distributed run, watches them, and ends all when one is lost."""
