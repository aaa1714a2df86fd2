"""QR pictures inside pages: one path of an inline SVG, since the pages' policy allows no other pictures of ours."""

from dataclasses import dataclass

import qrcode


@dataclass(frozen=True, slots=True)
class QrPicture:
    """`size` modules square, quiet zone included; `path` is what an SVG's `d` takes."""

    size: int
    path: str


def qr_picture(text: str) -> QrPicture:
    """The text as a QR code, error correction M."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
    code.add_data(text)
    rows = code.get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return QrPicture(len(rows), path)
