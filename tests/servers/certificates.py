"""Certificates for tests, made on the spot with the openssl program: an authority and what it signs."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple


class Pair(NamedTuple):
    certificate: Path
    key: Path


_CONFIG = """
[ca]
default_ca = this
[this]
database = {directory}/index.txt
serial = {directory}/serial
new_certs_dir = {directory}
certificate = {directory}/ca.pem
private_key = {directory}/ca.key
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


class Authority:
    """A certificate authority in `directory`; its own certificate is its own, or signed by another."""

    def __init__(self, directory: Path, name: str = "Test CA", *, below: "Authority | None" = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.certificate = directory / "ca.pem"
        (directory / "index.txt").touch()
        (directory / "serial").write_text("01\n")
        self._config = directory / "openssl.cnf"
        self._config.write_text(_CONFIG.format(directory=directory))
        if below is not None:
            signed = below.issue(name.replace(" ", "-"), extension="basicConstraints=critical,CA:true")
            shutil.copy(signed.certificate, directory / "ca.pem")
            shutil.copy(signed.key, directory / "ca.key")
            return
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", f"/CN={name}", "-extensions", "authority",
        )  # fmt: skip

    def issue(
        self,
        name: str,
        *,
        address: str = "IP:127.0.0.1",
        begins: timedelta = timedelta(days=-1),
        ends: timedelta = timedelta(days=1),
        password: str | None = None,
        key: tuple[str, ...] = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        purpose: str | None = None,
        digest: str = "sha256",
        extension: str | None = None,
    ) -> Pair:
        """Sign a certificate for `address`, valid from now + `begins` to now + `ends`."""
        more = () if purpose is None else ("-addext", f"extendedKeyUsage={purpose}")
        more += () if extension is None else ("-addext", extension)
        protection = ("-nodes",) if password is None else ("-passout", f"pass:{password}")
        self._openssl(
            "req", "-newkey", *key, *protection, "-keyout", f"{name}.key", "-out", f"{name}.csr",
            "-subj", f"/CN={name}", "-addext", f"subjectAltName={address}", *more,
        )  # fmt: skip
        now = datetime.now(UTC)
        self._openssl(
            "ca", "-batch", "-notext", "-md", digest, "-in", f"{name}.csr", "-out", f"{name}.pem",
            "-startdate", f"{now + begins:%Y%m%d%H%M%SZ}", "-enddate", f"{now + ends:%Y%m%d%H%M%SZ}",
        )  # fmt: skip
        return Pair(self._directory / f"{name}.pem", self._directory / f"{name}.key")

    def itself(self, name: str) -> Pair:
        """Return a certificate for this machine that is signed by its own key."""
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1",
        )  # fmt: skip
        return Pair(self._directory / f"{name}.pem", self._directory / f"{name}.key")

    def _openssl(self, command: str, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", command, "-config", str(self._config), *arguments],
            cwd=self._directory, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
