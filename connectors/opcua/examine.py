"""Whether a server's certificate can be believed, and all that is wrong with it (OPC 10000-4, 6.1.3)."""

import hashlib
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DER: Final = Encoding.DER
_SHORTEST_KEY: Final = 2048
_LONGEST_CHAIN: Final = 8
_WEAK: Final = (hashes.SHA1, hashes.MD5)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a person has put into the folders."""

    trusted: Sequence[x509.Certificate]
    issuers: Sequence[x509.Certificate]
    revocations: Sequence[x509.CertificateRevocationList]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of examining a certificate; it is accepted when it is trusted and has no defects."""

    is_trusted: bool
    defects: tuple[str, ...]


def thumbprint(certificate: x509.Certificate) -> str:
    """Return the SHA-1 thumbprint OPC UA names a certificate by, 40 hex digits; a name, not a proof."""
    der = certificate.public_bytes(_DER)
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def common_name(certificate: x509.Certificate) -> str:
    """Return who the certificate says it is."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string() or "unnamed"


def examine(
    shown: Sequence[x509.Certificate], application_uri: str, host: str, evidence: Evidence, now: datetime
) -> Verdict:
    """Examine a server's certificate: the first of those shown, the others may be its issuers.

    `application_uri` is what the server calls itself, `host` what the plant file calls it, `now` is UTC.
    """
    chain = _chain(shown[0], [*shown[1:], *evidence.trusted, *evidence.issuers])
    trusted = {certificate.public_bytes(_DER) for certificate in evidence.trusted}
    is_trusted = any(certificate.public_bytes(_DER) in trusted for certificate in chain)
    defects = (
        *_wrong_signature(chain),
        *_weakness(chain),
        *_out_of_time(chain, now),
        *_other_host(shown[0], host),
        *_other_application(shown[0], application_uri),
        *_other_use(chain),
        *_revocation(chain, evidence.revocations),
    )
    return Verdict(is_trusted, defects)


def _chain(leaf: x509.Certificate, pool: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return the certificate, its issuer, the issuer's issuer … as far as they are known."""
    chain = [leaf]
    while len(chain) < _LONGEST_CHAIN and chain[-1].issuer != chain[-1].subject:
        issuer = next((each for each in pool if _issued(chain[-1], each)), None)
        if issuer is None:
            break
        chain.append(issuer)
    return chain


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        is_named = certificate.issuer == issuer.subject
        return is_named and _is_signed_weakly(certificate, certificate.tbs_certificate_bytes, issuer)
    return True


def _is_signed_weakly(
    what: x509.Certificate | x509.CertificateRevocationList, said: bytes, issuer: x509.Certificate
) -> bool:
    """Tell whether an issuer signed something in a way that can be forged, which the library won't check."""
    try:
        algorithm, key = what.signature_hash_algorithm, issuer.public_key()
        if not isinstance(algorithm, _WEAK) or not isinstance(key, rsa.RSAPublicKey):
            return False
        key.verify(what.signature, said, padding.PKCS1v15(), algorithm)
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _wrong_signature(chain: Sequence[x509.Certificate]) -> Iterator[str]:
    last = chain[-1]
    if last.issuer == last.subject and not _issued(last, last):
        yield f"the signature of {common_name(last)} is wrong"


def _weakness(chain: Sequence[x509.Certificate]) -> Iterator[str]:
    for place, certificate in enumerate(chain):
        whose = "" if place == 0 else f" of its issuer {common_name(certificate)}"
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            yield f"the key{whose} is not RSA"
        elif key.key_size < _SHORTEST_KEY:
            yield f"the key{whose} has {key.key_size} bits, {_SHORTEST_KEY} are the least"
        # What a root says of itself proves nothing, whatever it is signed with.
        is_root = place > 0 and certificate.issuer == certificate.subject
        if isinstance(certificate.signature_hash_algorithm, _WEAK) and not is_root:
            algorithm = certificate.signature_hash_algorithm.name.upper()
            yield f"the signature{whose} uses {algorithm}, which can be forged"


def _out_of_time(chain: Sequence[x509.Certificate], now: datetime) -> Iterator[str]:
    for place, certificate in enumerate(chain):
        which = "it" if place == 0 else f"its issuer {common_name(certificate)}"
        if now > certificate.not_valid_after_utc:
            yield f"{which} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        if now < certificate.not_valid_before_utc:
            begins = certificate.not_valid_before_utc
            yield f"{which} is valid only from {begins:%Y-%m-%d %H:%M} UTC (is the gateway's clock right?)"


def _other_host(leaf: x509.Certificate, host: str) -> Iterator[str]:
    names = _alternative_names(leaf)
    known = [] if names is None else [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    known += [] if names is None else [str(each) for each in names.get_values_for_type(x509.IPAddress)]
    try:
        wanted = str(ipaddress.ip_address(host))
    except ValueError:
        wanted = host.lower()
    if wanted not in known:
        yield f"it is for the host {', '.join(known) or '(none)'}, not {host}"


def _other_application(leaf: x509.Certificate, uri: str) -> Iterator[str]:
    names = _alternative_names(leaf)
    known = [] if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)
    if uri not in known:
        said = f"it is for the application {', '.join(known) or '(none)'}"
        yield f"{said}, but the server calls itself {uri or '(nothing)'}"


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _other_use(chain: Sequence[x509.Certificate]) -> Iterator[str]:
    extensions = chain[0].extensions
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        if not (usage.digital_signature and (usage.key_encipherment or usage.data_encipherment)):
            yield "its key may not be used to sign and encrypt (KeyUsage)"
    except x509.ExtensionNotFound:
        yield "it does not say what its key may be used for (KeyUsage)"
    try:
        extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.SERVER_AUTH not in extended:
            yield "it is not for a server (ExtendedKeyUsage)"
    except x509.ExtensionNotFound:
        pass
    for issuer in chain[1:]:
        try:
            is_authority = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            is_authority = False
        if not is_authority:
            yield f"its issuer {common_name(issuer)} is no authority"


def _revocation(
    chain: Sequence[x509.Certificate], lists: Sequence[x509.CertificateRevocationList]
) -> Iterator[str]:
    for place, certificate in enumerate(chain):
        issuer = chain[place + 1] if place + 1 < len(chain) else certificate
        for each in lists:
            if each.issuer != certificate.issuer:
                continue
            # A list whose issuer we do not have can't be checked; what it revokes is not believed either.
            is_ours = issuer.subject != certificate.issuer or _may_have_listed(issuer, each)
            revoked = each.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if is_ours and revoked is not None:
                which = "it" if place == 0 else f"its issuer {common_name(certificate)}"
                yield f"{which} was revoked on {revoked.revocation_date_utc:%Y-%m-%d}"


def _may_have_listed(issuer: x509.Certificate, revoked: x509.CertificateRevocationList) -> bool:
    """Tell whether a list is an issuer's; one signed in a way nobody here knows counts as if it were."""
    try:
        _ = revoked.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return True
    is_valid = revoked.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    return is_valid or _is_signed_weakly(revoked, revoked.tbs_certlist_bytes, issuer)
