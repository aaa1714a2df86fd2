"""Codes from picture files: real QR pictures, read by a real decoder; and files that are none."""

import json
from pathlib import Path

import pytest
import qrcode
from PIL import Image, ImageFilter

from tests.verifier.platform import Platform
from verifier.cli import main
from verifier.pictures import PictureProblem, read_picture


def draw(text: str, path: Path, box: int = 6) -> Path:
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_L, box_size=box, border=4)
    code.add_data(text)
    code.make(fit=True)
    code.make_image().save(str(path))
    return path


def modules_of(picture: Path) -> int:
    """Of a picture drawn with one pixel a module: its width without the quiet zone."""
    with Image.open(picture) as image:
        return image.width - 8


@pytest.fixture
def platform() -> Platform:
    return Platform()


def scan(folder: Path, *pictures: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    capsys.readouterr()
    code = main(["--data", str(folder), "scan", "--json", "--picture", *map(str, pictures)])
    return code, [json.loads(line)["code"] for line in capsys.readouterr().out.splitlines()]


def test_picture_of_a_full_code_is_a_version_9_code_and_is_admitted(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = platform.gate_with_data(tmp_path / "gate")
    picture = draw(platform.full(), tmp_path / "full.png", box=1)

    assert modules_of(picture) == 17 + 4 * 9
    assert scan(folder, draw(platform.full(), tmp_path / "full.png"), capsys=capsys) == (0, ["admit"])
    assert scan(folder, draw(platform.full(), tmp_path / "full.png"), capsys=capsys) == (1, ["already_used"])


def test_picture_of_a_compact_code_is_a_version_4_code_and_is_admitted(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = platform.gate_with_data(tmp_path / "gate")

    assert modules_of(draw(platform.compact(), tmp_path / "compact.png", box=1)) == 17 + 4 * 4
    assert scan(folder, draw(platform.compact(), tmp_path / "compact.png"), capsys=capsys) == (0, ["admit"])


def test_bad_pictures_do_not_jam_the_good_one(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = platform.gate_with_data(tmp_path / "gate")
    blank = tmp_path / "blank.png"
    Image.new("L", (300, 300), 255).save(blank)
    good = draw(platform.full(), tmp_path / "good.png")
    half = tmp_path / "half.png"
    half.write_bytes(good.read_bytes()[:200])

    code, codes = scan(folder, blank, half, tmp_path / "missing.png", good, capsys=capsys)

    assert codes == ["picture_without_code", "unreadable_picture", "no_such_picture", "admit"]
    assert code == 1


def test_photograph_of_a_screen_is_read(platform: Platform, tmp_path: Path) -> None:
    """Turned, blurred, grey and in a corner."""
    text = platform.full()
    code = Image.open(draw(text, tmp_path / "code.png")).convert("L")
    photo = Image.new("L", (900, 700), 120)
    photo.paste(code.rotate(12, expand=True, fillcolor=255), (250, 90))
    photo.filter(ImageFilter.GaussianBlur(1.2)).save(tmp_path / "photo.jpg", quality=70)

    assert read_picture(tmp_path / "photo.jpg") == (text,)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(10), bytes(5000)])
def test_file_that_is_no_picture_is_unreadable(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file.png").write_bytes(content)

    problem = read_picture(tmp_path / "file.png")

    assert isinstance(problem, PictureProblem)
    assert problem.code == "unreadable_picture"


def test_every_cut_of_a_picture_is_a_problem_or_the_code(tmp_path: Path) -> None:
    whole = draw("12345", tmp_path / "whole.png").read_bytes()
    cut = tmp_path / "cut.png"

    for size in range(0, len(whole), 7):
        cut.write_bytes(whole[:size])
        found = read_picture(cut)
        assert isinstance(found, PictureProblem) or found == ("12345",)
    assert read_picture(tmp_path / "whole.png") == ("12345",)


def test_folder_is_no_picture(tmp_path: Path) -> None:
    problem = read_picture(tmp_path)

    assert isinstance(problem, PictureProblem)
    assert problem.code == "unreadable_picture"


def test_picture_bomb_is_refused_unread(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")

    problem = read_picture(tmp_path / "bomb.png")

    assert isinstance(problem, PictureProblem)
    assert problem.code == "picture_too_large"


def test_two_codes_in_one_picture_are_both_read(tmp_path: Path) -> None:
    upper, lower = (Image.open(draw(text, tmp_path / f"{text}.png")).convert("L") for text in ("111", "222"))
    both = Image.new("L", (upper.width, 2 * upper.height + 40), 255)
    both.paste(upper, (0, 0))
    both.paste(lower, (0, upper.height + 40))
    both.save(tmp_path / "both.png")

    assert read_picture(tmp_path / "both.png") == ("111", "222")
