import logging
import socket
import ssl
import stat
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.plant import PageOptions, PageTls
from gateway.security.certificate import OWN, PageCertificate, ends_of, fingerprint
from gateway.security.names import names_of
from gateway.web.tls import Loaded
from tests.servers.certificates import Authority

NOW = datetime.now(UTC)
OPTIONS = PageOptions(listen="192.0.2.7", tls=PageTls(), hosts=("gateway.example",))


def shown_by(loaded: Loaded, name: str = "gateway.example") -> str:
    """Return the fingerprint a browser sees."""
    ours, theirs = socket.socketpair()
    browser = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    browser.check_hostname, browser.verify_mode = False, ssl.CERT_NONE

    def serve() -> None:
        with loaded.context.wrap_socket(ours, server_side=True) as served:
            served.recv(1)

    server = threading.Thread(target=serve)
    server.start()
    with browser.wrap_socket(theirs, server_hostname=name) as talking:
        seen = ssl.DER_cert_to_PEM_cert(talking.getpeercert(binary_form=True))
        assert talking.version() in ("TLSv1.2", "TLSv1.3")
        talking.send(b"x")
    server.join()
    told = ["openssl", "x509", "-noout", "-fingerprint", "-sha256"]
    said = subprocess.run(told, input=seen, capture_output=True, text=True, check=True).stdout
    return said.strip().partition("=")[2]


def test_a_certificate_is_made_for_every_name_kept_and_renewed_before_its_end(tmp_path: Path) -> None:
    own = PageCertificate(OPTIONS, tmp_path)
    made = own.files(NOW).certificate
    assert made == tmp_path / OWN
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    command = ["openssl", "x509", "-in", made, "-noout", "-ext", "subjectAltName,extendedKeyUsage"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for each in ("DNS:localhost", "DNS:gateway.example", "IP Address:192.0.2.7", "Server Authentication"):
        assert each in told
    first = fingerprint(made)
    assert PageCertificate(OPTIONS, tmp_path).files(NOW + timedelta(days=330)).certificate == made
    assert fingerprint(made) == first
    own.files(NOW + timedelta(days=336))
    assert fingerprint(made) != first
    assert ends_of(made) > NOW + timedelta(days=690)


@pytest.mark.parametrize(
    "changed", [{"hosts": ("other.example",)}, {"listen": "192.0.2.8"}, {"hosts": ("gateway.example", "b")}]
)
def test_a_new_name_needs_a_new_certificate(tmp_path: Path, changed: dict[str, object]) -> None:
    first = fingerprint(PageCertificate(OPTIONS, tmp_path).files(NOW).certificate)
    options = OPTIONS.model_copy(update=changed)
    assert fingerprint(PageCertificate(options, tmp_path).files(NOW).certificate) != first
    assert set(changed.get("hosts", ())) <= set(names_of(options))  # type: ignore[call-overload]


def test_a_clock_that_was_wrong_when_it_was_made_and_a_damaged_file_make_another(tmp_path: Path) -> None:
    own = PageCertificate(OPTIONS, tmp_path)
    made = own.files(datetime(1970, 1, 2, tzinfo=UTC)).certificate
    own.files(NOW)
    assert ends_of(made) > NOW
    own.files(NOW - timedelta(days=400))
    assert ends_of(made) < NOW
    made.write_bytes(made.read_bytes()[:100])
    own.files(NOW)
    assert ends_of(made) > NOW


def test_the_end_of_a_persons_certificate_is_told_thirty_fourteen_and_three_days_ahead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = Authority(tmp_path).issue("page", ends=timedelta(days=60))
    options = PageOptions(tls=PageTls(certificate=str(pair.certificate), key=str(pair.key)))
    own = PageCertificate(options, tmp_path)
    ends = ends_of(pair.certificate)
    told = []
    with caplog.at_level(logging.WARNING):
        for hours in range(40 * 24, -48, -6):
            own.files(ends - timedelta(hours=hours))
            if caplog.records:
                told.append((-(-hours // 24), caplog.records[-1].getMessage()))
                caplog.clear()
    assert [days for days, _ in told] == [30, 14, 3]
    assert {said for _, said in told} == {"page certificate ends soon"}


def test_a_new_pair_is_taken_while_it_runs_and_half_a_pair_is_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, two = authority.issue("one"), authority.issue("two")
    certificate, key = tmp_path / "page.pem", tmp_path / "page.key"
    certificate.write_bytes(one.certificate.read_bytes())
    key.write_bytes(one.key.read_bytes())
    loaded = Loaded(certificate, key)
    assert shown_by(loaded) == fingerprint(one.certificate)
    assert not loaded.look()
    certificate.write_bytes(two.certificate.read_bytes())
    assert not loaded.look()
    assert shown_by(loaded) == fingerprint(one.certificate)
    key.write_bytes(two.key.read_bytes())
    assert loaded.look()
    assert shown_by(loaded) == fingerprint(two.certificate)
