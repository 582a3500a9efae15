"""Formats of raw tables: how each is read, fingerprinted and explained."""
