"""A module of handlers that cannot be imported."""

raise LookupError("a bug")
