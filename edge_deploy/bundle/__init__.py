"""The offline bundle: every wheel, our own with the page, hashes, SBOM, installer, in one file (ADR 0042)."""
