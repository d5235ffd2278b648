"""Backup and restore: one archive of all a gateway is, taken while it runs, and back under a new epoch."""

from gateway.backup.archive import BackupFailed
from gateway.backup.make import Made, make_backup
from gateway.backup.restore import Restored, restore_backup

__all__ = ["BackupFailed", "Made", "Restored", "make_backup", "restore_backup"]
