"""The machines a bundle is made for: which wheels they take, and what a requirement's marker says there."""

from dataclasses import dataclass
from typing import Final

from packaging.markers import Environment
from packaging.tags import Tag, compatible_tags, cpython_tags

NEWEST_GLIBC: Final = 28
"""Wheels that want more than glibc 2.28 (Debian 10, RHEL 8, openEuler 20.03, Kylin V10) are not taken."""
OLDEST_GLIBC: Final = {"x86_64": 5, "aarch64": 17}
"""What manylinux begins with (PEP 600)."""
PLATFORMS: Final = ("linux-x86_64", "linux-aarch64", "win-amd64")
PYTHONS: Final = ("3.11", "3.12", "3.13")


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of machine with one CPython."""

    platform: str
    """One of PLATFORMS."""
    python: str
    """One of PYTHONS."""

    @property
    def is_windows(self) -> bool:
        """Tell whether the bundle is a zip with a PowerShell installer."""
        return self.platform == "win-amd64"

    @property
    def machine(self) -> str:
        """Return what `platform.machine()` says there."""
        return "AMD64" if self.is_windows else self.platform.removeprefix("linux-")

    @property
    def platform_tags(self) -> list[str]:
        """Return the platform tags of wheels that run there, best first."""
        if self.is_windows:
            return ["win_amd64"]
        tags = []
        for minor in range(NEWEST_GLIBC, OLDEST_GLIBC[self.machine] - 1, -1):
            tags.append(f"manylinux_2_{minor}_{self.machine}")
            if minor == 17:
                tags.append(f"manylinux2014_{self.machine}")
            if minor in {12, 5}:
                tags.append(f"manylinux{ {12: '2010', 5: '1'}[minor] }_{self.machine}")
        return tags

    @property
    def tags(self) -> list[Tag]:
        """Return the tags of wheels that run there, best first."""
        version = self._version
        interpreter = f"cp{version[0]}{version[1]}"
        return [
            *cpython_tags(version, platforms=self.platform_tags),
            *compatible_tags(version, interpreter, self.platform_tags),
        ]

    @property
    def markers(self) -> Environment:
        """Return what PEP 508 markers are evaluated with; patch versions and kernels no lock may ask for."""
        return Environment(
            implementation_name="cpython",
            implementation_version=f"{self.python}.0",
            os_name="nt" if self.is_windows else "posix",
            platform_machine=self.machine,
            platform_release="",
            platform_system="Windows" if self.is_windows else "Linux",
            platform_version="",
            python_full_version=f"{self.python}.0",
            platform_python_implementation="CPython",
            python_version=self.python,
            sys_platform="win32" if self.is_windows else "linux",
        )

    @property
    def _version(self) -> tuple[int, int]:
        major, minor = self.python.split(".")
        return int(major), int(minor)
