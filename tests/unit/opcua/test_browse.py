"""Globs over browse paths, and walking an address space along one: all that matches, once, within limits."""

import contextlib
import os
import re
from itertools import count
from typing import Any

import pytest
from asyncua.common.utils import Buffer
from asyncua.ua.uaerrors import UaStatusCodeError
from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua.browse.glob import Glob
from connectors.opcua.browse.paths import decode_translate
from connectors.opcua.browse.references import BROWSE_RESPONSE, decode_browse
from connectors.opcua.browse.walk import Unbrowsable, Walk
from connectors.opcua.limits import Limits
from connectors.opcua.names import of_path
from connectors.opcua.rows import Fault, Malformed
from tests.servers import lab_tree

SCALE = float(os.environ["WL_SCALE"])
NAMESPACES = ("http://opcfoundation.org/UA/", "urn:wanglian:lab")


def matches(text: str, path: str, namespace: str = "") -> bool:
    glob = Glob(text)
    states = glob.begin
    for name in path.split("/"):
        states = glob.step(states, namespace, name)
    return glob.is_match(states)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("Plant/Line*/**/Temperature", "Plant/Line1/Temperature", True),
        ("Plant/Line*/**/Temperature", "Plant/Line1/M2/Oil/Temperature", True),
        ("Plant/Line*/**/Temperature", "Plant/Hall/Line1/Temperature", False),
        ("Plant/Line?/T", "Plant/Line12/T", False),
        ("**", "anything/at/all", True),
        ("**/a/**/a", "a/a", True),
        ("**/a/**/a", "a", False),
        ("a.b/(c)", "a.b/(c)", True),
        ("a.b", "aXb", False),
    ],
)
def test_a_glob_matches_whole_paths(text: str, path: str, expected: bool) -> None:
    assert matches(text, path) == expected


def test_a_name_with_a_namespace_is_that_of_no_other() -> None:
    assert matches("{urn:a/b}Press", "Press", "urn:a/b")
    assert not matches("{urn:a/b}Press", "Press", "urn:c")
    for wrong in ("", "/a", "a//b", "a/", "{}a", "{urn:a}", "a{b}"):
        with pytest.raises(ValueError, match=f"^{re.escape(wrong)}$"):
            Glob(wrong)


steps = st.sampled_from(["a", "b", "ab", "*", "a*", "?", "**"])


@given(
    st.lists(steps, min_size=1, max_size=5),
    st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=6),
)
def test_a_glob_says_what_a_regular_expression_says(glob: list[str], path: list[str]) -> None:
    forms = {"*": "[^/]*/", "?": "[^/]/", "a*": "a[^/]*/", "**": "(?:[^/]+/)*"}
    expression = "".join(forms.get(step, f"{step}/") for step in glob)
    expected = re.fullmatch(expression, "".join(f"{name}/" for name in path)) is not None
    assert matches("/".join(glob), "/".join(path)) == expected


def test_the_fixed_steps_at_the_beginning_are_no_part_of_a_tags_name() -> None:
    assert Glob("Plant/Line*/T").fixed == 1
    assert Glob("Plant/T").fixed == 1
    assert of_path(("Plant", "Line 1", "T"), 1) == "Line_1.T"
    assert of_path(("_x",), 0) == "x"
    long = of_path(("a" * 50, "b" * 50), 0)
    assert len(long) == 64
    assert long != of_path(("a" * 50, "b" * 51), 0)


class Server:
    """The lab's tree behind the one method a walk needs."""

    peer = "opc.tcp://lab"

    def __init__(self, tree: lab_tree.Tree) -> None:
        self.tree = tree

    async def ask_raw(self, request: Any) -> Buffer:
        parameters = request.Parameters
        if hasattr(parameters, "NodesToBrowse"):
            assert len(parameters.NodesToBrowse) > 0
            head = b"\0\0" + bytes(12)
            body = self.tree.browse(
                head
                + int(parameters.RequestedMaxReferencesPerNode).to_bytes(4, "little")
                + len(parameters.NodesToBrowse).to_bytes(4, "little")
                + bytes(parameters.NodesToBrowse),
                0,
            )
            if not body:
                raise UaStatusCodeError(0x80100000)
            return Buffer(lab_tree.response(530, 1, body))
        points = b"".join(len(p).to_bytes(4, "little") + p for p in parameters.ContinuationPoints)
        head = bytes((parameters.ReleaseContinuationPoints,))
        counted = len(parameters.ContinuationPoints).to_bytes(4, "little")
        return Buffer(lab_tree.response(536, 1, self.tree.browse_next(head + counted + points, 0)))


async def walked(tree: lab_tree.Tree, text: str, browse: int = 1_000) -> list[str]:
    walk = Walk(Server(tree), Limits(browse=browse), NAMESPACES, lab_tree.OBJECTS, Glob(text))  # type: ignore[arg-type]
    found = []
    for _ in count():
        if walk.is_done:
            return found
        assert walk.requests < 100_000, "it goes in circles"
        found += ["/".join(match.names) for match in await walk.step()]
    return found


@pytest.mark.fault("F4")
@pytest.mark.parametrize(
    "allowed",
    [(1_000_000, 1_000, 1_000, 0), (3, 7, 1_000, 0), (0, 1_000, 5, 0), (5, 50, 50, 3), (1, 1, 1, 2)],
    ids=["none", "few points, a limit not told", "no points", "points that expire", "one of each"],
)
async def test_f4_every_node_is_found_once_whatever_a_server_allows(
    monkeypatch: pytest.MonkeyPatch, allowed: tuple[int, int, int, int], record_measure: Any
) -> None:
    """Circles, properties, continuation points that run out, and calls that are too large."""
    points, limit, told, expire = allowed
    monkeypatch.setattr("connectors.opcua.browse.walk._PAGE", 60)
    monkeypatch.setattr("connectors.opcua.browse.walk._FEWEST", 4)
    tree = lab_tree.Tree(int(20_000 * SCALE), points, limit)
    tree.expire_every = expire
    found = await walked(tree, "**", told)
    assert sorted(found) == sorted(lab_tree.path(i) for i in range(tree.items))
    assert bool(points) <= tree.most_open <= points
    record_measure(f"{len(found)} nodes, at most {tree.most_open} continuation points", row="F4")


async def test_only_what_can_still_match_is_looked_into() -> None:
    tree = lab_tree.Tree(20_000)
    assert await walked(tree, "Plant/Line7/M3/Temp*") == ["Plant/Line7/M3/Temperature"]
    assert tree.asked < 10
    assert len(await walked(lab_tree.Tree(20_000), "Plant/Line7/*/{urn:wanglian:lab}T*")) == 200
    assert await walked(lab_tree.Tree(20_000), "Plant/Line7/*/{urn:other}T*") == []


async def test_a_walk_that_is_given_up_leaves_no_continuation_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.opcua.browse.walk._PAGE", 20)
    tree = lab_tree.Tree(5_000)
    walk = Walk(Server(tree), Limits(), NAMESPACES, lab_tree.OBJECTS, Glob("**"))  # type: ignore[arg-type]
    while not tree.open:
        await walk.step()
    await walk.close()
    assert (tree.open, walk.is_done) == ({}, True)


async def test_a_server_that_refuses_to_be_browsed_is_told_from_one_that_is_gone() -> None:
    class Refusing(Server):
        async def ask_raw(self, request: Any) -> Buffer:  # noqa: ARG002  whatever is asked
            raise UaStatusCodeError(0x800B0000)

    walk = Walk(Refusing(lab_tree.Tree(1)), Limits(), NAMESPACES, lab_tree.OBJECTS, Glob("**"))  # type: ignore[arg-type]
    with pytest.raises(Unbrowsable, match="BadServiceUnsupported"):
        await walk.step()


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_break_the_decoders(body: bytes, is_whole: bool) -> None:
    head = lab_tree.response(530, 1, b"\1\0\0\0")[:24] if is_whole else b""
    for decode in (lambda each: decode_browse(each, BROWSE_RESPONSE), decode_translate):
        with contextlib.suppress(Malformed, Fault):
            decode(head + body)
