"""Put the three rooms first on the path, then hand over to the command line (ADR 0002)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from gateway.cli import main

__all__ = ["main"]
