"""Prepares encoded data: schema, encoding, feature tables, and the shards that ranks read."""
