"""One test for each rule of Sparkplug B 3.0 that docs/reference/sparkplug-conformance.md claims.

Each is asked of every packet of two conversations with mosquitto, over MQTT 5 and 3.1.1.
"""

import re

import pytest

from tests.faults.sparkplug.conversation import Conversation, conversation
from tests.faults.sparkplug.rules import BIRTHS, CHECKS, DATA
from tests.processes import ROOT
from tests.verify.sparkplug import properties_of

pytestmark = pytest.mark.server


@pytest.fixture(scope="module", params=["5", "3.1.1"])
def talk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Conversation:
    return conversation(tmp_path_factory.mktemp("conversation"), request.param)


@pytest.mark.fault("B15")
@pytest.mark.parametrize("rule", CHECKS)
def test_the_edge_node_keeps_the_rule(talk: Conversation, rule: str) -> None:
    assert CHECKS[rule](talk)


def test_the_page_claims_what_is_tested_and_gives_a_reason_for_the_rest() -> None:
    page = (ROOT / "docs" / "reference" / "sparkplug-conformance.md").read_text(encoding="utf-8")
    claimed, rest = page.split("## Not claimed")
    assert re.findall(r"`tck-id-([\w-]+)`", claimed) == list(CHECKS)
    others = re.findall(r"`tck-id-([\w-]+)`", rest)
    assert len(others) == len(set(others))
    assert not set(others) & set(CHECKS)
    assert f"{len(CHECKS)} of {len(CHECKS) + len(others)}" in page


def test_every_message_is_one_a_host_by_protobuf_can_read(talk: Conversation) -> None:
    assert all(properties_of(metric) is not None for metric in talk.metrics(*BIRTHS, *DATA))
