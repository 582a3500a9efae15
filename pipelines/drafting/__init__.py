"""Looks at raw tables and drafts a data set's YAML."""
