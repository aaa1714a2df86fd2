"""Fake cameras: pictures as the video feed of Chromium's test device (YUV4MPEG2)."""

import io
from collections.abc import Sequence
from pathlib import Path

import qrcode
from PIL import Image

WIDTH, HEIGHT = 1280, 720
FRAMES_PER_SECOND = 5
WALL = 90  # the grey behind the phone


def code_picture(digits: str, size: int = 560) -> Image.Image:
    """A code as a wallet shows it: numeric, level L, black on white."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_L, border=4, box_size=8)
    code.add_data(digits, optimize=0)
    code.make(fit=True)
    picture: Image.Image = code.make_image().convert("L")
    return picture.resize((size, size), Image.Resampling.NEAREST)


def from_screenshot(png: bytes, height: int = HEIGHT) -> Image.Image:
    """A phone's screen, as tall as the camera's picture."""
    shot = Image.open(io.BytesIO(png)).convert("L")
    return shot.resize((round(shot.width * height / shot.height), height), Image.Resampling.BILINEAR)


def film(path: Path, scenes: Sequence[tuple[Image.Image | None, float]]) -> Path:
    """Writes the feed: each picture (None: nobody there) for so many seconds. Chromium plays it in a loop."""
    colour = bytes([128]) * (WIDTH * HEIGHT // 2)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAMES_PER_SECOND}:1 Ip A1:1 C420jpeg\n".encode())
        for picture, seconds in scenes:
            frame = Image.new("L", (WIDTH, HEIGHT), WALL)
            if picture is not None:
                frame.paste(picture, ((WIDTH - picture.width) // 2, (HEIGHT - picture.height) // 2))
            luma = frame.tobytes()
            for _ in range(max(1, round(seconds * FRAMES_PER_SECOND))):
                file.write(b"FRAME\n" + luma + colour)
    return path
