"""The gateway's own certificate: made once, however many sources begin; renewed whole, or not at all."""

import contextlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from connectors.opcua import own as writing
from connectors.opcua.own import Own
from connectors.opcua.pki import Pki

SOURCES = 6


@pytest.mark.parametrize("attempt", range(2))
def test_sources_that_begin_together_make_one_certificate(tmp_path: Path, attempt: int) -> None:
    """A certificate beside another's key would keep every source away until a person deletes it."""
    together = Barrier(SOURCES)

    def begin(_: int) -> bytes:
        together.wait(20)
        return Pki(tmp_path).own(f"gateway {attempt}").certificate.public_bytes(serialization.Encoding.DER)

    with ThreadPoolExecutor(SOURCES) as threads:
        assert len(set(threads.map(begin, range(SOURCES)))) == 1


def test_a_certificate_is_renewed_in_the_name_it_has_and_the_pair_before_is_kept(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    assert pki.renew() is None
    before, key = pki.own("g1"), (tmp_path / "own" / "key.pem").read_bytes()
    mark = pki.shown().thumbprint[:8]  # type: ignore[union-attr]
    shown = pki.renew()
    after = pki.own("another gateway")
    assert shown is not None
    assert (after.uri, shown.uri) == (before.uri, before.uri)
    assert after.certificate != before.certificate
    assert after.certificate.serial_number != before.certificate.serial_number
    aside = Own.load(tmp_path / "own" / f"certificate.{mark}.der", tmp_path / "own" / f"key.{mark}.pem")
    assert aside.certificate == before.certificate
    kept = sorted(each.name for each in (tmp_path / "own").iterdir())
    assert kept == ["certificate." + mark + ".der", "certificate.der", f"key.{mark}.pem", "key.pem"]
    if os.name == "posix":
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "own").glob("key*")}
        assert set(modes.values()) == {0o600}
    assert (tmp_path / "own" / f"key.{mark}.pem").read_bytes() == key


@pytest.mark.parametrize("steps", [1, 3, 4, 5])
def test_a_renewal_that_is_cut_off_anywhere_leaves_a_pair_that_matches(
    tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are replaced six times: two kept aside, two made, two put in place."""
    pki = Pki(tmp_path)
    before = pki.own("g1").certificate
    done = iter(range(steps))
    replace = Path.replace

    def cut(file: Path, target: Path) -> Path:
        if next(done, None) is None:
            raise OSError("the power is gone")
        return replace(file, target)

    monkeypatch.setattr(Path, "replace", cut)
    with contextlib.suppress(OSError):
        pki.renew()
    monkeypatch.undo()
    after = pki.own("g1").certificate  # raises where the pair does not match
    assert (after != before) == (steps >= 4)
    assert not list((tmp_path / "own").glob("*.next.der"))


def test_a_pair_renewed_by_another_process_between_its_two_files_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pki = Pki(tmp_path)
    before = pki.own("g1").certificate
    read, times = writing.read_certificate, iter(range(9))

    def renewed_meanwhile(file: Path) -> x509.Certificate:
        if next(times) == 0:  # the key was read, the certificate was not
            shown = pki.shown()
            assert shown is not None
            assert Pki(tmp_path)._put_in_place(shown)
        return read(file)

    monkeypatch.setattr(writing, "read_certificate", renewed_meanwhile)
    assert pki.own("g1").certificate != before
