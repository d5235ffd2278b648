"""Energy, its cost and its carbon: pure functions over what meters counted, and the books they fill."""
