"""Energy accounting: pure functions from readings, tariffs and factors to figures that can be traced."""
