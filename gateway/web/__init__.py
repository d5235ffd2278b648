"""The page: a process of its own that reads what the gateway leaves in memory and answers browsers."""
