"""Raw tables: read, typed, joined, and checked."""
