"""Application certificates for OPC UA tests, good and wrong in one way each, made with `cryptography`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

URI = "urn:wanglian:test:server"
DER = serialization.Encoding.DER


@cache
def key(bits: int = 2048, name: str = "") -> rsa.RSAPrivateKey:
    """Return a key; the same for the same arguments, since making one takes long."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass
class Wanted:
    """What a certificate shall say."""

    name: str = "server"
    uri: str = URI
    address: str = "127.0.0.1"
    begins: timedelta = timedelta(days=-1)
    ends: timedelta = timedelta(days=1)
    bits: int = 2048
    is_sha1: bool = False
    usage: bool = True
    extended: tuple[Any, ...] = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
    authority: bool = False


def make(wanted: Wanted, issuer: "Made | None" = None) -> "Made":
    """Return a certificate, self-signed or signed by an issuer."""
    private = key(wanted.bits, wanted.name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.name)])
    now = datetime.now(UTC)
    names = [x509.UniformResourceIdentifier(wanted.uri), x509.IPAddress(ip_address(wanted.address))]
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
        ),
        wanted.usage,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + wanted.begins)
        .not_valid_after(now + wanted.ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(wanted.authority, None), critical=True)
        .add_extension(
            x509.KeyUsage(
                key_agreement=False,
                key_cert_sign=wanted.authority or not wanted.usage,
                crl_sign=wanted.authority,
                encipher_only=False,
                decipher_only=False,
                **usage,
            ),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage(wanted.extended), critical=False)
    )
    signing = private if issuer is None else issuer.key
    made = builder.sign(signing, hashes.SHA256())
    if wanted.is_sha1:
        made = x509.load_der_x509_certificate(with_sha1(made, made.tbs_certificate_bytes, signing))
    return Made(made, private)


def with_sha1(made: Any, said: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """Return the DER of a certificate or list signed with SHA-1, which the library's builders refuse."""
    sha256, sha1 = (bytes.fromhex(f"2a864886f70d0101{last}") for last in ("0b", "05"))
    whole, said = (each.replace(sha256, sha1) for each in (made.public_bytes(DER), said))
    signature = key.sign(said, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    return bytes(whole[: -len(signature)] + signature)


@dataclass
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(DER)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write certificate and key as PEM; return their files."""
        folder.mkdir(parents=True, exist_ok=True)
        certificate, private = folder / "certificate.pem", folder / "key.pem"
        pem = serialization.Encoding.PEM
        certificate.write_bytes(self.certificate.public_bytes(pem))
        private.write_bytes(
            self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return certificate, private

    def revoke(self, *revoked: "Made", is_sha1: bool = False) -> bytes:
        """Return this authority's revocation list, DER."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - timedelta(hours=1))
            .next_update(now + timedelta(days=1))
        )
        for each in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(each.certificate.serial_number)
                .revocation_date(now - timedelta(hours=1))
                .build()
            )
        made = builder.sign(self.key, hashes.SHA256())
        return with_sha1(made, made.tbs_certlist_bytes, self.key) if is_sha1 else made.public_bytes(DER)
