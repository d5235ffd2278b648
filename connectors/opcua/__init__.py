"""OPC UA: subscriptions and reads decoded into columns."""
