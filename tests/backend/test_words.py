"""What people read of the backend: two languages, whole and fresh."""

from pathlib import Path

from tools.messages import catalogue, untranslated, updated

ROOM = Path(__file__).parents[2] / "backend"


def test_catalogue_is_complete_and_fresh() -> None:
    """If this fails: python -m tools.messages backend, translate, and run it again."""
    messages, po, mo = updated(ROOM)

    assert not untranslated(messages)
    assert catalogue(ROOM).read_bytes() == po
    assert catalogue(ROOM).with_suffix(".mo").read_bytes() == mo
