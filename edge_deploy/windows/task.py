"""What the scheduled task runs on Windows: the gateway, its log in a file, since a task has no console.

    python task.py PLANT LOG

The log of the run before is kept as LOG.1. Only the standard library before the log is open, so that whatever
goes wrong later can be read in it.
"""

import os
import sys
from pathlib import Path


def main() -> None:
    """Send both standard streams into the log, then hand over to the command line."""
    plant, log = sys.argv[1], Path(sys.argv[2])
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))
    # Windowless programs have no streams at all; descriptors 1 and 2 are what a child's handles come from.
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(file, number)
    sys.stdout = sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1, closefd=False)
    sys.argv = ["wanglian", "run", plant]
    import wanglian  # noqa: PLC0415  after the log is open

    wanglian.main()


if __name__ == "__main__":
    main()
