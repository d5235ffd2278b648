"""The fault lab: simulated equipment and a TCP proxy that go wrong by script, for tests and for people.

Imports nothing else of ours, so that what it serves is computed by other code than what reads it; only the
command line and the tests import it (ADR 0060).
"""
