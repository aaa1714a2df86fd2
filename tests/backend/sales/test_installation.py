"""What an installation keeps to itself."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine

from backend.errors import SettingError
from backend.sales.installation import SECRET_FILE, ensure_platform, installation_secret, platform_id


def test_the_platform_id_is_made_once(engine: Engine) -> None:
    assert platform_id(engine) is None
    with engine.begin() as connection:
        made = ensure_platform(connection)
    with engine.begin() as connection:
        assert ensure_platform(connection) == made == platform_id(engine)
    assert len(made) == 16


def test_processes_that_start_together_share_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: installation_secret(tmp_path / "keys"), range(16)))
    assert len(secrets) == 1
    assert [file.name for file in (tmp_path / "keys").iterdir()] == [SECRET_FILE]


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    installation_secret(tmp_path)
    (tmp_path / SECRET_FILE).chmod(0o644)
    with pytest.raises(SettingError, match="chmod"):
        installation_secret(tmp_path)
