"""A server's certificate is believed when nothing is wrong with it and a person trusts it or its issuer."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from connectors.opcua.examine import Evidence, examine
from connectors.opcua.pki import Pki, Refused
from tests.servers.opcua_certificates import URI, Made, Wanted, make

WRONG: dict[str, tuple[Wanted, str]] = {
    "expired": (Wanted(ends=timedelta(hours=-1)), "expired on"),
    "not valid yet": (Wanted(begins=timedelta(hours=1)), "valid only from"),
    "another application": (Wanted(uri="urn:somebody:else"), "for the application urn:somebody:else"),
    "another host": (Wanted(address="10.0.0.9"), "for the host 10.0.0.9, not 127.0.0.1"),
    "a short key": (Wanted(bits=1024), "1024 bits"),
    "no signing": (Wanted(usage=False), "KeyUsage"),
    "for clients only": (Wanted(extended=(ExtendedKeyUsageOID.CLIENT_AUTH,)), "ExtendedKeyUsage"),
}


def trusting(*certificates: Made, lists: tuple[bytes, ...] = (), issuers: tuple[Made, ...] = ()) -> Evidence:
    return Evidence(
        [each.certificate for each in certificates],
        [each.certificate for each in issuers],
        [x509.load_der_x509_crl(each) for each in lists],
    )


def look(shown: Made, evidence: Evidence) -> Any:
    return examine([shown.certificate], URI, "127.0.0.1", evidence, datetime.now(UTC))


@pytest.mark.fault("F7")
def test_a_trusted_certificate_without_defects_is_accepted() -> None:
    made = make(Wanted())
    assert look(made, trusting(made)) == (verdict := look(made, trusting(made)))
    assert (verdict.is_trusted, verdict.defects) == (True, ())
    assert not look(made, trusting()).is_trusted


@pytest.mark.fault("F7")
@pytest.mark.parametrize(("wanted", "said"), WRONG.values(), ids=WRONG.keys())
def test_f7_one_defect_is_named_although_the_certificate_is_trusted(wanted: Wanted, said: str) -> None:
    made = make(wanted)
    verdict = look(made, trusting(made))
    assert verdict.is_trusted
    assert len(verdict.defects) == 1
    assert said in verdict.defects[0]


@pytest.mark.fault("F7")
def test_f7_a_signature_with_sha1_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """`cryptography` makes no such certificate any more, so the library's word is changed."""
    made = make(Wanted())
    monkeypatch.setattr("connectors.opcua.examine._WEAK", (hashes.SHA256,))
    assert any("can be forged" in each for each in look(made, trusting(made)).defects)


@pytest.mark.fault("F7")
def test_f7_authorities_vouch_for_what_they_have_not_revoked() -> None:
    root = make(Wanted(name="root", authority=True))
    middle = make(Wanted(name="middle", authority=True), root)
    server, other = make(Wanted(), middle), make(Wanted(name="other"), middle)
    assert look(server, trusting(root, issuers=(middle,))).is_trusted
    assert not look(server, trusting(issuers=(root, middle))).is_trusted, (
        "issuers are not trusted by themselves"
    )
    assert not look(server, trusting(root)).is_trusted, "the chain has a gap"
    revoked = look(server, trusting(root, issuers=(middle,), lists=(middle.revoke(server),)))
    assert any("it was revoked" in each for each in revoked.defects)
    assert not look(other, trusting(root, issuers=(middle,), lists=(middle.revoke(server),))).defects
    lost = look(server, trusting(root, issuers=(middle,), lists=(root.revoke(middle),)))
    assert any("issuer middle was revoked" in each for each in lost.defects)
    forged = make(Wanted(name="middle", authority=True)).revoke(server)
    assert x509.load_der_x509_crl(forged).issuer == middle.certificate.subject


@pytest.mark.fault("F7")
def test_f7_who_is_no_authority_vouches_for_nobody() -> None:
    """Any application's key could sign another's certificate."""
    neighbour = make(Wanted(name="neighbour"))
    server = make(Wanted(), neighbour)
    assert any("no authority" in each for each in look(server, trusting(neighbour)).defects)


@pytest.mark.fault("F7")
def test_the_first_start_makes_a_certificate_servers_accept_and_a_key_nobody_else_reads(
    tmp_path: Path,
) -> None:
    pki = Pki(tmp_path)
    own = pki.own("g1")
    assert own.uri.endswith(":wanglian:g1")
    usage = own.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment) == (True, True)
    assert (usage.key_encipherment, usage.data_encipherment, usage.key_cert_sign) == (True, True, False)
    extended = own.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(extended) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    assert own.key.key_size >= 2048
    assert (tmp_path / "own" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert pki.own("g1").certificate == own.certificate


@pytest.mark.fault("F7")
def test_sources_that_begin_together_share_one_certificate(tmp_path: Path) -> None:
    begin = Barrier(4)

    def own() -> bytes:
        begin.wait(10)
        return Pki(tmp_path).own("g1").certificate.fingerprint(hashes.SHA256())

    with ThreadPoolExecutor(4) as threads:
        shown = [each.result() for each in [threads.submit(own) for _ in range(4)]]
    assert len(set(shown)) == 1


@pytest.mark.fault("F7")
def test_an_unknown_certificate_is_kept_until_a_person_decides(tmp_path: Path) -> None:
    pki, made = Pki(tmp_path), make(Wanted())
    with pytest.raises(Refused, match=r"nobody has trusted it yet.*certificates trust"):
        pki.examine(made.der, URI, "127.0.0.1")
    (entry,) = pki.entries()
    assert (entry.folder, entry.name) == ("rejected", "server")
    assert [each.thumbprint for each in pki.move(entry.thumbprint[:6].lower(), "trusted")] == [
        entry.thumbprint
    ]
    pki.examine(made.der, URI, "127.0.0.1")
    assert not pki.move("", "rejected")
    pki.move(entry.thumbprint, "rejected")
    with pytest.raises(Refused):
        pki.examine(made.der, URI, "127.0.0.1")


@pytest.mark.fault("F7")
@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x30\x82\xff\xff", b"junk" * 50, b"\x30\x82\x00\x04abcd"])
def test_what_is_no_certificate_is_refused(tmp_path: Path, junk: bytes) -> None:
    with pytest.raises(Refused, match="can't be read"):
        Pki(tmp_path).examine(junk, URI, "127.0.0.1")


@pytest.mark.fault("F7")
def test_a_server_that_shows_ever_new_certificates_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.opcua.pki._MOST_REJECTED", 3)
    pki = Pki(tmp_path)
    for number in range(6):
        with pytest.raises(Refused):
            pki.examine(make(Wanted(uri=f"urn:{number}")).der, f"urn:{number}", "127.0.0.1")
    assert len(list((tmp_path / "rejected").iterdir())) == 3
