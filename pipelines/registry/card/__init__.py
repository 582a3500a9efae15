"""Makes the model card of a registered version: a page with all that its users must know."""
