"""Why something about users, tokens or the audit log was not done: a code, and what fills its sentence."""

from config.problems import Language, Phrase


class AccessRefused(Exception):
    """Nothing was changed; the message is the catalogue's, by its code."""

    def __init__(self, code: str, *, wait_s: int = 0, **args: object) -> None:
        super().__init__(code, args)
        self.code, self.args_of_message = code, args
        self.wait_s = wait_s
        """When to try again; 0 where waiting does not help."""

    def text(self, language: Language) -> str:
        """Return what is wrong and what to do instead."""
        return Phrase(self.code, self.args_of_message).text(language)
