"""The supplier's invoice beside the books: read, compared, every difference with its likely reason."""
