"""A trained network as a model: what it needs, how it is fed, what it gives."""
