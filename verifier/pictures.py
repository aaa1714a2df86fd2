"""Reads codes from picture files, with zxing-cpp and pillow (the `gate` extra)."""

import warnings
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import GateError
from verifier.i18n import gettext as _

MAX_PIXELS = 50_000_000  # of a picture; more is refused unread


@dataclass(frozen=True, slots=True)
class PictureProblem:
    """No code could be taken from the file."""

    code: str
    sentence: str


def read_picture(path: Path) -> tuple[str, ...] | PictureProblem:
    """The texts of the QR codes in a picture, top to bottom.

    `GateError("pictures_not_installed")` without the two libraries.
    """
    try:
        import zxingcpp  # noqa: PLC0415 an optional extra: a gate with a scanner needs neither
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 see above
    except ImportError:
        raise GateError(
            "pictures_not_installed", _("Reading pictures needs two more libraries: pip install zxing-cpp pillow")
        ) from None
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return _too_large(path)
            pixels = picture.convert("L")
    except Image.DecompressionBombError:
        return _too_large(path)
    except FileNotFoundError:
        return PictureProblem("no_such_picture", _("There is no file {path}.").format(path=path))
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError):
        sentence = _("{path} can't be read as a picture. Take PNG or JPEG, and a whole file.")
        return PictureProblem("unreadable_picture", sentence.format(path=path))
    found = zxingcpp.read_barcodes(pixels, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    if not found:
        sentence = _("{path} shows no QR code, or not sharply enough.")
        return PictureProblem("picture_without_code", sentence.format(path=path))
    return tuple(one.text for one in sorted(found, key=lambda one: one.position.top_left.y))


def _too_large(path: Path) -> PictureProblem:
    sentence = _("{path} has more than {n} million pixels. Take a smaller picture.")
    return PictureProblem("picture_too_large", sentence.format(path=path, n=MAX_PIXELS // 1_000_000))
