"""What every way of asking devices over a line shares: the dialogue, its times, the port, the source."""
