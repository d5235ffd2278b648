"""A calculation that must not be done: stable code and a sentence in both languages."""

from collections.abc import Mapping

from config.problems import Language, Phrase


class Refused(ValueError):
    """What was asked would mix quantities, split what can't be split, or needs a number nobody gave."""

    def __init__(self, code: str, **args: object) -> None:
        self.code = code
        self.args_of_text: Mapping[str, object] = args
        super().__init__(code, args)

    def text(self, language: Language) -> str:
        """Return what is wrong and what to do instead."""
        return f"{Phrase(self.code, self.args_of_text).text(language)} [{self.code}]"

    def __str__(self) -> str:
        """Return it in English."""
        return self.text("en")
