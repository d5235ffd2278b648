"""Meters by DL/T 645-2007 and CJ/T 188 that go wrong: behind a serial server, on a pseudo-terminal."""
