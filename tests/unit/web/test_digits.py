"""Numbers on the page are rounded as people round what is written, and as the browser's library does."""

import json
import subprocess
from pathlib import Path

from edge_deploy.page import SOURCE
from tests.processes import ROOT

COUNT = 200_000


def test_numbers_are_written_as_the_browsers_library_writes_them(tmp_path: Path) -> None:
    compiler = SOURCE / "node_modules" / "typescript" / "lib" / "typescript.js"
    digits = SOURCE / "src" / "digits.ts"
    run = ["node", ROOT / "tests/unit/web/digits.mjs", compiler, digits, tmp_path, str(COUNT)]
    done = subprocess.run(run, check=True, capture_output=True, timeout=120)
    assert json.loads(done.stdout) == []
