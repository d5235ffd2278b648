"""`python -m gateway` is `wanglian`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
