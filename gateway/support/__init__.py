"""The support archive: what an integrator mails, without a secret in it."""

from gateway.support.make import make_support

__all__ = ["make_support"]
