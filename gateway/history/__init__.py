"""Trends on disk: a strict reader of the log that books rows and minutes, and who reads them."""

from gateway.history.link import HISTORY, Historian
from gateway.history.reader import Reader
from gateway.history.trend import Trend

__all__ = ["HISTORY", "Historian", "Reader", "Trend"]
