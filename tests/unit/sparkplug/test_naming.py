"""From what a birth says of a metric to its tag."""

from config.connections import SparkplugSource
from connectors import TagTable
from connectors.sparkplug.counts import Statistics
from connectors.sparkplug.datatypes import DataType
from connectors.sparkplug.naming import Naming, Wanted


def test_a_unit_of_another_quantity_than_deliver_as_is_not_converted_and_ends_no_link() -> None:
    options = {"kind": "sparkplug", "host": "h", "nodes": [{"tags": {"**": {"deliver_as": "%"}}}]}
    tags = TagTable()
    read = SparkplugSource.model_validate(options)
    naming = Naming("in", read, site="cz", tags=tags, statistics=Statistics(), owners={})
    wanted = [Wanted("Share", DataType.DOUBLE, ""), Wanted("Power", DataType.DOUBLE, "kW")]
    naming.enlist(("g", "n", "d"), wanted)
    assert [(tags[i].name, tags[i].unit, tags[i].scale) for i in (0, 1)] == [
        ("Share", "P1", 100.0),
        ("Power", "KWT", 1.0),
    ]
