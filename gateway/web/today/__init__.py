"""The first view's figures: what the plant draws and costs now and today, and against what."""
