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

from config.reasons import in_words
from connectors.opcua.examine import Evidence, Verdict, examine
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

SHA1 = "the signature uses SHA1, which can be forged"
SM2_WITH_SM3 = bytes.fromhex("2a811ccf5501837500")
"""As long as the object identifier of SHA-256 with RSA, and unknown like that of SM2 with SM3."""


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
    (defect,) = verdict.defects
    assert said in defect
    refused = "opc.tcp://h:4840: the server's certificate, thumbprint AB, is refused: "
    told = in_words(f"{refused}{defect}; {SHA1}", "zh")
    assert told.startswith("opc.tcp://h:4840：服务器的证书不可接受，指纹 AB：")
    assert defect not in told
    assert told.endswith("；用 SHA1 签名，可以伪造")


@pytest.mark.fault("F7")
def test_f7_a_signature_with_sha1_is_refused_for_that_alone_whoever_made_it() -> None:
    root = make(Wanted(name="root", authority=True))
    alone, signed = make(Wanted(is_sha1=True)), make(Wanted(is_sha1=True), root)
    for made, trusted in ((alone, alone), (signed, root), (signed, signed)):
        assert look(made, trusting(trusted)) == Verdict(is_trusted=True, defects=(SHA1,))
    middle = make(Wanted(name="middle", authority=True, is_sha1=True), root)
    verdict = look(make(Wanted(), middle), trusting(root, issuers=(middle,)))
    assert verdict == Verdict(is_trusted=True, defects=(SHA1.replace("uses", "of its issuer middle uses"),))


@pytest.mark.fault("F7")
def test_f7_a_root_signed_with_sha1_vouches_and_revokes() -> None:
    """What it says of itself proves nothing; a list it signed so is one all the same."""
    root = make(Wanted(name="root", authority=True, is_sha1=True))
    other = make(Wanted(name="root", authority=True, bits=3072))
    server = make(Wanted(), root)
    assert look(server, trusting(root)) == Verdict(is_trusted=True, defects=())
    for is_sha1 in (False, True):
        revoked = look(server, trusting(root, lists=(root.revoke(server, is_sha1=is_sha1),)))
        assert [each.partition(" on ")[0] for each in revoked.defects] == ["it was revoked"]
        forged = look(server, trusting(root, lists=(other.revoke(server, is_sha1=is_sha1),)))
        assert forged == Verdict(is_trusted=True, defects=())


@pytest.mark.fault("F7")
def test_f7_a_list_nobody_here_can_check_revokes_all_the_same() -> None:
    root = make(Wanted(name="root", authority=True))
    server = make(Wanted(), root)
    strange = root.revoke(server).replace(bytes.fromhex("2a864886f70d01010b"), SM2_WITH_SM3)
    assert "it was revoked" in look(server, trusting(root, lists=(strange,))).defects[0]


@pytest.mark.fault("F7")
def test_f7_a_certificate_signed_in_a_way_nobody_here_knows_is_refused_and_no_crash(tmp_path: Path) -> None:
    made = make(Wanted())
    shown = made.der.replace(bytes.fromhex("2a864886f70d01010b"), SM2_WITH_SM3)
    assert len(shown) == len(made.der)
    for file in (tmp_path / "trusted" / "it.der", tmp_path / "issuers" / "it.der"):
        file.parent.mkdir()
        file.write_bytes(shown)
    with pytest.raises(Refused, match="can't be read: Signature algorithm"):
        Pki(tmp_path).examine(shown, URI, "127.0.0.1")
    with pytest.raises(Refused, match="nobody has trusted it yet"):
        Pki(tmp_path).examine(made.der, URI, "127.0.0.1")


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
