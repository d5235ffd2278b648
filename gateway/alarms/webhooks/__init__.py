"""Webhooks: what each platform's robot wants to read, how it is reached, and how often it is told."""
