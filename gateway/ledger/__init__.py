"""What became of every stored row: the books of each sink, by source, and the gaps they cannot close."""

from gateway.ledger.books import Account, Books, Entry, Passing, Rows
from gateway.ledger.gap import Gap

__all__ = ["Account", "Books", "Entry", "Gap", "Passing", "Rows"]
