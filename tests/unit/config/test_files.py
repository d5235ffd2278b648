from pathlib import Path

from config.load import load_plant

PLANT = """
gateway: {id: g, site: s}
sources: {sim: {kind: simulated, devices: {d: {tags: {x: {}}}}}}
sinks: {b: {kind: mqtt, host: h, tls: {ca: certs/ca.pem, certificate: /etc/c.pem, key: ../k.pem}}}
"""


def test_files_a_plant_names_are_looked_for_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(PLANT)
    tls = load_plant(file).sinks["b"].tls
    assert tls is not None
    assert tls.ca == str(tmp_path / "certs" / "ca.pem")
    assert tls.certificate == "/etc/c.pem"
    assert tls.key == str(tmp_path / ".." / "k.pem")
