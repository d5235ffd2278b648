"""Why the page did not do what it was asked: a status for programs, a code, a sentence in both languages."""

from typing import Any, Self

from fastapi.encoders import jsonable_encoder

from config.problems import Phrase


class PageRefused(Exception):
    """Nothing was done; the message is the catalogue's, by its code (`config/data/messages.yaml`)."""

    def __init__(self, status: int, code: str, **args: object) -> None:
        super().__init__(status, code, args)
        self.status = status
        self.said = Phrase(code, args)
        self.more: dict[str, Any] = {}

    def with_more(self, **more: Any) -> Self:
        """Return it, with what the answer holds besides by the route's own model."""
        self.more = jsonable_encoder(more)
        return self

    def __str__(self) -> str:
        """Return it in English, for logs."""
        return self.said.text("en")


def told(said: Phrase) -> dict[str, str]:
    """Return what every answer that refuses something holds: `gateway.web.models.Mistake`."""
    en = said.text("en")
    return {"detail": en, "code": said.key, "en": en, "zh": said.text("zh")}
