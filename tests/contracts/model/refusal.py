"""How the model says no."""


class Refusal(Exception):  # noqa: N818 (an outcome of the model, not an error of its)
    """The call is refused with the custom error of this name."""


def refuse_if(fault: object, name: str) -> None:
    if fault:
        raise Refusal(name)
