"""Certificates the simulated OPC UA server shows: one that is in order, others each wrong in one way.

All but `untrusted_certificate` are signed by one authority: who trusts that sees of each what is wrong with
it and nothing else. Keys and authority lie in a folder and are made once, and the certificate in order is
always the same one, so whom a person trusted is trusted at the next start too.
"""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.lab import told
from gateway.lab.scenario import Fault
from gateway.lab.told import Told

APPLICATION: Final = "urn:wanglian:lab:server"
_VALID: Final = timedelta(days=3650)
_DER: Final = serialization.Encoding.DER
_AUTHORITY, _GOOD, _REVOKED = 1, 2, 3
_BITS, _SHORT = 2048, 1024
# sha256WithRSAEncryption and sha1WithRSAEncryption, DER (RFC 8017, appendix C).
_WITH_SHA256, _WITH_SHA1 = bytes.fromhex("06092a864886f70d01010b"), bytes.fromhex("06092a864886f70d010105")


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate and the key that belongs to it."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class _Said:
    """What a certificate says."""

    name: str
    number: int
    begins: datetime
    ends: datetime
    hosts: tuple[str, ...] = ()
    application: str = APPLICATION
    bits: int = _BITS
    is_sha1: bool = False
    is_alone: bool = False
    """Of another key and signed by itself."""


Wrong = Callable[[_Said], _Said]


def _expired(ago: float) -> Wrong:
    def wrong(said: _Said) -> _Said:
        ends = datetime.now(UTC) - timedelta(seconds=ago)
        return replace(said, begins=min(said.begins, ends - timedelta(days=1)), ends=ends)

    return wrong


def _early(until: float) -> Wrong:
    def wrong(said: _Said) -> _Said:
        begins = datetime.now(UTC) + timedelta(seconds=until)
        return replace(said, begins=begins, ends=max(said.ends, begins + timedelta(days=1)))

    return wrong


def _with(**other: Any) -> Wrong:
    return lambda said: replace(said, **other)


FAULTS: Final[Mapping[str, Callable[[Told], Wrong]]] = {
    "expired_certificate": told.seconds(3600.0, _expired, most=told.YEARS_S),
    "early_certificate": told.seconds(3600.0, _early, most=told.YEARS_S),
    "other_host_certificate": told.plain(_with(hosts=("elsewhere.invalid",))),
    "other_application_certificate": told.plain(_with(application="urn:somebody:else")),
    "revoked_certificate": told.plain(_with(number=_REVOKED)),
    "sha1_certificate": told.plain(_with(is_sha1=True)),
    "short_key_certificate": told.plain(_with(bits=_SHORT)),
    "untrusted_certificate": told.plain(_with(is_alone=True)),
    "refuse_certificate": told.plain(_with()),
}
"""By the name a scenario calls it; the last shows the good one, and the server refuses those of others."""


@dataclass(frozen=True)
class Certificates:
    """What lies in a folder, made there the first time it is used."""

    folder: Path
    host: str = "127.0.0.1"
    """What clients call the server, beside this machine's names."""
    _shown: dict[Fault, Shown] = field(default_factory=dict)

    def of(self, fault: Fault | None) -> Shown:
        """Return what is shown while a fault is held; the same each time."""
        wrong = FAULTS.get("" if fault is None else fault.fault)
        if fault is None or wrong is None:
            return self.good
        if fault not in self._shown:
            said = wrong(fault.value)(self._order)
            if said == self._order:
                return self.good
            key = _made(said.bits) if said.is_alone or said.bits != _BITS else self.good.key
            self._shown[fault] = Shown(_server(said, key, None if said.is_alone else self._authority), key)
        return self._shown[fault]

    @cached_property
    def good(self) -> Shown:
        """What is in order."""
        key = _kept(self.folder / "server.pem")
        return Shown(_server(self._order, key, self._authority), key)

    @property
    def authority(self) -> Path:
        """What belongs into a client's folder of those it trusts, as the list beside it does."""
        return self.folder / "authority.der"

    @property
    def revoked(self) -> Path:
        """What the authority has revoked."""
        return self.folder / "authority.crl"

    @cached_property
    def _order(self) -> _Said:
        known = self._authority.certificate
        hosts = tuple(dict.fromkeys((self.host, "127.0.0.1", "localhost", socket.gethostname())))
        return _Said("Wanglian lab", _GOOD, known.not_valid_before_utc, known.not_valid_after_utc, hosts)

    @cached_property
    def _authority(self) -> Shown:
        file = self.folder / "authority.pem"
        is_there = file.exists() and self.authority.exists()
        key = _kept(file)
        if not is_there:
            made = _signed_authority(key)
            self.revoked.write_bytes(_list(Shown(made, key)).public_bytes(_DER))
            self.authority.write_bytes(made.public_bytes(_DER))
        return Shown(x509.load_der_x509_certificate(self.authority.read_bytes()), key)


def _made(bits: int = _BITS) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _kept(file: Path) -> rsa.RSAPrivateKey:
    """Return the key of a file, a new one where there is none; ValueError: it is something else."""
    if not file.exists():
        made = _made().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(made)
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{file} is no RSA key")  # noqa: TRY004  what a file holds, no argument
    return key


def _begun(said: _Said, key: rsa.RSAPrivateKey, issuer: Shown | None, *, ca: bool) -> x509.CertificateBuilder:
    name = _name(said.name)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(said.number)
        .not_valid_before(said.begins)
        .not_valid_after(said.ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca,
                content_commitment=not ca,
                key_encipherment=not ca,
                data_encipherment=not ca,
                key_agreement=False,
                key_cert_sign=ca,
                crl_sign=ca,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )


def _signed_authority(key: rsa.RSAPrivateKey) -> x509.Certificate:
    now = datetime.now(UTC)
    said = _Said("Wanglian lab authority", _AUTHORITY, now - timedelta(days=1), now + _VALID)
    return _begun(said, key, None, ca=True).sign(key, hashes.SHA256())


def _server(said: _Said, key: rsa.RSAPrivateKey, issuer: Shown | None) -> x509.Certificate:
    """Return a server's certificate, signed by an issuer or itself."""
    names = [x509.UniformResourceIdentifier(said.application), *map(_host, said.hosts)]
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    begun = _begun(said, key, issuer, ca=False)
    begun = begun.add_extension(x509.SubjectAlternativeName(names), critical=False)
    begun = begun.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    signing = key if issuer is None else issuer.key
    made = begun.sign(signing, hashes.SHA256())
    return _with_sha1(made, signing) if said.is_sha1 else made


def _with_sha1(made: x509.Certificate, key: rsa.RSAPrivateKey) -> x509.Certificate:
    """Return the same certificate signed with SHA-1, which the library's builder refuses to do."""
    other = made.public_bytes(_DER).replace(_WITH_SHA256, _WITH_SHA1)
    said = x509.load_der_x509_certificate(other).tbs_certificate_bytes
    signature = key.sign(said, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  that is what is wrong with it
    return x509.load_der_x509_certificate(other[: -len(signature)] + signature)


def _list(issuer: Shown) -> x509.CertificateRevocationList:
    began = issuer.certificate.not_valid_before_utc
    one = x509.RevokedCertificateBuilder().serial_number(_REVOKED).revocation_date(began).build()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(began)
        .next_update(began + _VALID)
        .add_revoked_certificate(one)
    )
    return builder.sign(issuer.key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
