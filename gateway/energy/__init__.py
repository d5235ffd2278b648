"""Energy, cost and carbon an auditor accepts: books of counters, and figures that can be traced to them."""
