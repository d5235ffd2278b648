"""The Reports view: reports are ordered, kept for a while, fetched, deleted, checked against the books."""
