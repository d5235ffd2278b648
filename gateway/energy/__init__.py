"""The energy books: what counters read, as energy in intervals an auditor accepts (docs/explanation/energy.md)."""
