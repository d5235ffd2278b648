from config.manual import manual
from tests.processes import ROOT


def test_the_reference_of_the_plant_file_is_what_the_models_say() -> None:
    page = ROOT / "docs" / "reference" / "plant-file.md"
    assert page.read_text(encoding="utf-8") == manual(), "run `make docs`"
