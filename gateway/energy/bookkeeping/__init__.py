"""How the books are kept: what is read and entered becomes boundaries on disk, each row exactly once."""
