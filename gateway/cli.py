"""The `wanglian` command: parses arguments, prints, decides nothing."""


def main() -> None:
    """Run the command line."""
