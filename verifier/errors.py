"""What keeps a gate from working at all: a code for machines, a sentence for people."""


class GateError(Exception):
    """`code` is stable and snake_case; `sentence` says what is wrong and what to do."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
