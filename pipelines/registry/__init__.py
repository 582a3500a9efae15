"""Decides which registered version is used: promotion and compatibility."""
