"""Put the three rooms first on the path, then hand over to the command line (ADR 0002)."""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

# Until `run` takes the signal over: Ctrl-C ends a program that has only begun without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from gateway.cli import main

__all__ = ["main"]
