"""Ways onto a machine: locks, the demo, what the tests speak with."""
