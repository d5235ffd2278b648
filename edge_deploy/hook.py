"""The wheel's build hook: the built page goes in, so that an installation needs no Node."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))

import page


class PageHook(BuildHookInterface[Any]):
    """Takes the page as it was built, or builds it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See that the page is there; an editable install shows the checkout's own."""
        if version == "editable":
            return
        if not page.is_built():
            page.build()
        # Git ignores what is built, and hatchling leaves out what git ignores.
        build_data["artifacts"].append("gateway/web/static")
