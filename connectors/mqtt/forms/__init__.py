"""The forms a sink's messages may have; `build` knows which is chosen in the plant file."""
