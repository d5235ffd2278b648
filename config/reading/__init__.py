"""From the bytes of a file to a tree that remembers where each key and value was written."""
