"""How a connection is protected and its peer trusted."""

from config.base import FileName, Model, NamedSecret


class Tls(Model):
    """How the connection is protected and the peer is checked; checking can't be switched off."""

    ca: FileName | None = None
    """File of the certificate authority; the machine's own trust store when absent."""
    certificate: FileName | None = None
    """Client certificate file, for mutual TLS."""
    key: FileName | None = None
    """Client key file."""
    key_password: NamedSecret | None = None
