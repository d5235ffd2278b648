"""The durable log and its cursors."""
