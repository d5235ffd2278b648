"""Finding nodes by their browse path in servers of any size."""
