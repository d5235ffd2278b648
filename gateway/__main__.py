"""`python -m gateway` is `wanglian`."""

import signal

# Until `run` takes the signal over: Ctrl-C ends a program that has only begun without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from gateway.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
