"""Compares past scores with what customers then spent."""
