"""What a report can't be made of, with a code and a sentence of what to do instead."""

from config.problems import Language, Phrase


class Refused(ValueError):
    """A report that can't be made; `code` is a key of the message catalogue."""

    def __init__(self, code: str, **args: object) -> None:
        super().__init__(f"{code} {args}")
        self.code = code
        self.args_of_text = args

    def text(self, language: Language) -> str:
        """Return what is wrong and what to do."""
        return f"{Phrase(self.code, self.args_of_text).text(language)} [{self.code}]"
