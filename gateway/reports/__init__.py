"""Reports an auditor accepts: what they say is gathered once from the books, then written as Excel or PDF."""
