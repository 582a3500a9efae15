"""Which registered version is used: promotion and compatibility."""
