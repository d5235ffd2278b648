import pytest

from connectors import Kind
from connectors.quality import BAD_TIMEOUT, UNCERTAIN
from gateway.web.app import create_app
from tests.asgi import ask
from tests.fakes import T0
from tests.unit.web.conftest import Plant, tag


@pytest.mark.parametrize(
    ("kind", "put", "told"),
    [
        (Kind.FLOAT64, 2.5, 2.5),
        (Kind.INT32, -7.0, -7),
        (Kind.BOOL, 1.0, True),
        (Kind.INT64, -(2**53), -(2**53)),
        (Kind.INT64, -(2**53) - 1, "-9007199254740993"),
        (Kind.UINT64, -1, "18446744073709551615"),
        (Kind.TEXT, "订单 7", "订单 7"),
    ],
)
async def test_a_browser_gets_each_value_exactly(plant: Plant, kind, put, told) -> None:
    (number,) = plant.announce(tag("cz/a/l/d/x", kind))
    plant.put(number, put)
    answer = await ask(create_app(plant), "/api/tags")
    (row,) = answer.json()["rows"]
    assert (row["value"], type(row["value"])) == (told, type(told))
    assert (row["quality"], row["quality_name"], row["time"]) == (0, "Good", T0 // 1_000_000)


async def test_a_bad_row_has_no_value_and_a_tag_without_a_row_has_no_quality(plant: Plant) -> None:
    bad, _ = plant.announce(tag("cz/a/l/d/bad"), tag("cz/a/l/d/new"))
    plant.put(bad, 5.0, BAD_TIMEOUT)
    rows = (await ask(create_app(plant), "/api/tags")).json()["rows"]
    assert [(row["value"], row["quality_name"]) for row in rows] == [(None, "BadTimeout"), (None, "")]
    assert rows[1]["quality"] is None


async def test_tags_are_found_by_words_and_quality_in_the_order_of_their_paths(plant: Plant) -> None:
    numbers = plant.announce(*(tag(f"cz/Hall/l/m{i}/{name}") for name in ("u", "i") for i in range(3)))
    for i, number in enumerate(numbers):
        plant.put(number, 1.0, (0, UNCERTAIN, BAD_TIMEOUT)[i % 3])
    app = create_app(plant)

    async def found(query: str) -> list[str]:
        return [row["path"] for row in (await ask(app, f"/api/tags?{query}")).json()["rows"]]

    assert await found("q=hall+M1") == ["cz/Hall/l/m1/i", "cz/Hall/l/m1/u"]
    assert await found("which=bad") == ["cz/Hall/l/m2/i", "cz/Hall/l/m2/u"]
    assert await found("offset=4&limit=1") == ["cz/Hall/l/m2/i"]
    assert (await ask(app, "/api/tags?which=uncertain&limit=1")).json()["total"] == 2
    assert await found("q=nothing") == []


async def test_the_gateways_own_tags_stand_behind_the_plants(plant: Plant) -> None:
    paths = [
        "s/_energy/demand/grid/alarm",
        "s/-/-/m/u",
        "s/zinc/l/m/_u",
        "s/_energy/balance/used/alarm",
        "s/a/l/m/u",
    ]
    for number in plant.announce(*(tag(path) for path in paths)):
        plant.put(number, 1.0, 0)
    rows = (await ask(create_app(plant), "/api/tags")).json()["rows"]
    assert [row["path"] for row in rows] == [paths[1], paths[4], paths[2], paths[3], paths[0]]


async def test_each_further_letter_looks_only_at_what_was_found_before(plant: Plant) -> None:
    plant.announce(*(tag(f"cz/a/l/{device}/x{i}") for device in ("pump", "press") for i in range(20)))
    catalogue = plant.catalogue
    for words in ("p", "pu", "pum x", "pum x1", "x1 pum", "p r", "none", ""):
        wanted = words.split()
        paths = [catalogue.tags[n].path for n in catalogue.number[catalogue.search(words)].tolist()]
        assert paths == [path for path in sorted(catalogue.by_path) if all(word in path for word in wanted)]


async def test_a_list_of_paths_is_answered_in_its_order_without_what_there_is_not(plant: Plant) -> None:
    for number in plant.announce(*(tag(f"cz/a/l/d/{name}") for name in "abc")):
        plant.put(number, 1.0, BAD_TIMEOUT if number == 2 else 0)
    app = create_app(plant)
    listed = "path=cz/a/l/d/c&path=cz/a/l/d/none&path=cz/a/l/d/a&path=cz/a/l/d/c"

    async def found(query: str) -> list[str]:
        answer = (await ask(app, f"/api/tags?{query}")).json()
        assert answer["total"] == len(answer["rows"])
        return [row["path"][-1] for row in answer["rows"]]

    assert await found(listed) == ["c", "a"]
    assert await found(f"{listed}&which=bad") == ["c"]
    assert await found(f"{listed}&q=D/A") == ["a"]
    assert (await ask(app, "/api/tags?" + "&".join(["path=x"] * 101))).status == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "offset=-1", "which=odd", "q=" + "x" * 201])
async def test_a_question_out_of_bounds_is_refused(plant: Plant, query: str) -> None:
    assert (await ask(create_app(plant), f"/api/tags?{query}")).status == 422


async def test_a_thinned_tag_of_one_sink_is_not_the_plants(plant: Plant) -> None:
    # Its row lies in the store beside the others; the catalogue is read from there.
    from gateway.buffer.state import State
    from gateway.web.catalogue import read_catalogue

    store = plant.live.folder.parent
    state = State(store / "state.sqlite")
    numbers = plant.announce(tag("cz/a/l/d/x"), tag("cz/a/l/d/x", for_sink="cloud"))
    state.persist([(n, plant.tags[n]) for n in numbers])
    found = read_catalogue(store, plant.values.active, 1)
    state.close()
    assert list(found.tags) == numbers[:1]
