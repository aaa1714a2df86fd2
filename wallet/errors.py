"""What can go wrong in a wallet: a machine code and a human sentence. `wallet.cli.exits` alone maps codes to exits."""


class WalletError(Exception):
    """Something the wallet's owner can do something about; `sentence` says what. Never holds a secret."""

    def __init__(self, code: str, sentence: str, **details: str | int | None) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.details = details
