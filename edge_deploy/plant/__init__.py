"""A small factory that can be computed: its physics, and servers that show it over real protocols.

Imports nothing of the gateway, its connectors or its configuration: what both got wrong alike would look
right.
"""
