"""Compares profiles of data and scores with those of training and of the last date."""
