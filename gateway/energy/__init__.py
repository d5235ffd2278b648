"""The energy books: what counters read, as energy an auditor accepts (docs/explanation/energy.md)."""
