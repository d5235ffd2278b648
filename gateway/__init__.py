"""What runs: pipeline, buffer, supervision, command line."""
