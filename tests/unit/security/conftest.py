"""A gateway's users, with a clock that is moved; what a password becomes is computed once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.security import House, Role
from gateway.security.house import By
from gateway.security.passwords import kept
from gateway.security.users import _insert
from tests.conftest import FakeClock

PASSWORD = "rolling mill seven"  # noqa: S105  a test's
HERE = By("", "192.0.2.7")


@pytest.fixture(scope="session")
def stored() -> str:
    return kept(PASSWORD)


class Home(House):
    """Takes in users without the quarter of a second each costs."""

    stored: str

    def take(self, name: str, role: Role, *, must_change: bool = False) -> None:
        with self.writing() as connection:
            _insert(connection, name, role, self.stored, self.now(), must_change=must_change)

    def words(self) -> list[str]:
        from gateway.security.audit import entries

        return [each.what for each in entries(self.directory)]


@pytest.fixture
def home(tmp_path: Path, clock: FakeClock, stored: str) -> Iterator[Home]:
    with Home(tmp_path, clock) as made:
        made.stored = stored
        yield made
