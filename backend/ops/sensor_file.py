"""Which sensors there are: `sensors.toml` in the data folder names them.

A sensor answers JSON, and `value` is the path of its number in it:

    [[sensors]]
    name = "rack temperature"
    url = "http://192.0.2.7/climate.json"
    value = "inside.celsius"
    unit = "°C"
    low = 10
    high = 32
"""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import SettingError
from backend.i18n import gettext as _
from backend.setting_values import is_url

FILE = "sensors.toml"
MAX_SENSORS = 64
MAX_NAME = 60  # characters
MAX_UNIT = 12


@dataclass(frozen=True, slots=True)
class Sensor:
    """Where a number is found, and between what it should be."""

    name: str
    url: str
    path: tuple[str, ...]
    unit: str
    low: float | None
    high: float | None


def sensors_of(folder: Path) -> list[Sensor]:
    """What the file names; nothing without one. Raises `SettingError`, naming the sensor, if it can't work."""
    try:
        told = tomllib.loads((folder / FILE).read_text())
    except FileNotFoundError:
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _bad(_("must be TOML: %s") % error) from error
    except OSError as error:
        raise _bad(_("can't be read: %s") % error.strerror) from error
    listed = told.pop("sensors", [])
    if told or not isinstance(listed, list):
        raise _bad(_("must hold nothing but [[sensors]]"))
    if len(listed) > MAX_SENSORS:
        raise _bad(_("names more than %d sensors") % MAX_SENSORS)
    sensors = [_sensor(one) for one in listed]
    names = [one.name for one in sensors]
    for name in names:
        if names.count(name) > 1:
            raise _bad(_('names "%s" twice; give each sensor a name of its own') % name)
    return sensors


def _sensor(told: Any) -> Sensor:  # noqa: ANN401 - what a TOML file may hold
    if not isinstance(told, dict) or not {"name", "url", "value"} <= set(told) <= _FIELDS:
        raise _bad(_("must give each sensor name, url, value and low or high, and may give it a unit"))
    name, unit = str(told["name"]), str(told.get("unit", ""))
    if not 0 < len(name) <= MAX_NAME or len(unit) > MAX_UNIT:
        words = {"name": MAX_NAME, "unit": MAX_UNIT}
        raise _bad(_("must have names of 1 to %(name)d characters and units of at most %(unit)d") % words)
    if not is_url(str(told["url"]), "http", "https"):
        raise _bad(_('must give "%s" a url that begins with http:// or https://') % name)
    low, high = told.get("low"), told.get("high")
    limits = [one for one in (low, high) if one is not None]
    if not limits or not all(_is_number(one) for one in limits) or limits != sorted(limits):
        raise _bad(_('must give "%s" low or high or both, as numbers, low below high') % name)
    return Sensor(name, str(told["url"]), tuple(str(told["value"]).split(".")), unit, low, high)


def _is_number(told: object) -> bool:
    return isinstance(told, (int, float)) and not isinstance(told, bool) and math.isfinite(told)


def _bad(what: str) -> SettingError:
    return SettingError(FILE, what)


_FIELDS = {"name", "url", "value", "unit", "low", "high"}
