"""What every connector that meets a broker has from here: the line to it, and how a source listens on it."""
