"""What the Unicode CLDR says about a language's numbers, dates, currencies and units, by way of Babel."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cached_property
from typing import Any

from speech.errors import ConfigError
from speech.extras import needs_extra

UNITS: dict[str, str] = {
    "km": "length-kilometer", "m": "length-meter", "dm": "length-decimeter", "cm": "length-centimeter",
    "mm": "length-millimeter", "µm": "length-micrometer", "μm": "length-micrometer", "nm": "length-nanometer",
    "mi": "length-mile", "yd": "length-yard", "ft": "length-foot", "kg": "mass-kilogram", "g": "mass-gram",
    "mg": "mass-milligram", "t": "mass-tonne", "lb": "mass-pound", "lbs": "mass-pound", "oz": "mass-ounce",
    "l": "volume-liter", "L": "volume-liter", "dl": "volume-deciliter", "cl": "volume-centiliter",
    "ml": "volume-milliliter", "mL": "volume-milliliter", "°C": "temperature-celsius", "℃": "temperature-celsius",
    "°F": "temperature-fahrenheit", "°": "angle-degree", "km/h": "speed-kilometer-per-hour",
    "m/s": "speed-meter-per-second", "mph": "speed-mile-per-hour", "km²": "area-square-kilometer",
    "km2": "area-square-kilometer", "m²": "area-square-meter", "m2": "area-square-meter",
    "cm²": "area-square-centimeter", "cm2": "area-square-centimeter", "ha": "area-hectare",
    "m³": "volume-cubic-meter", "m3": "volume-cubic-meter", "cm³": "volume-cubic-centimeter",
    "cm3": "volume-cubic-centimeter", "km³": "volume-cubic-kilometer", "h": "duration-hour", "min": "duration-minute",
    "s": "duration-second", "ms": "duration-millisecond", "Hz": "frequency-hertz", "kHz": "frequency-kilohertz",
    "MHz": "frequency-megahertz", "GHz": "frequency-gigahertz", "W": "power-watt", "kW": "power-kilowatt",
    "MW": "power-megawatt", "GW": "power-gigawatt", "kWh": "energy-kilowatt-hour", "V": "electric-volt",
    "mA": "electric-milliampere", "Ω": "electric-ohm", "J": "energy-joule", "kJ": "energy-kilojoule",
    "kcal": "energy-kilocalorie", "cal": "energy-calorie", "kB": "digital-kilobyte", "KB": "digital-kilobyte",
    "MB": "digital-megabyte", "GB": "digital-gigabyte", "TB": "digital-terabyte", "hPa": "pressure-hectopascal",
    "bar": "pressure-bar", "mbar": "pressure-millibar", "px": "graphics-pixel", "‰": "concentr-permille",
}  # fmt: skip
"""Symbols of units, the same in all languages, and their CLDR names."""
_LOCAL = ("duration-hour", "duration-minute", "duration-second", "digital-megabyte", "digital-gigabyte")
"""Units with a symbol of their own in some languages, such as Std. and Mo."""


def _babel() -> Any:
    try:
        import babel
        import babel.numbers
        import babel.units
    except ModuleNotFoundError as error:
        raise ConfigError("dates, money and units in words need Babel", fix=needs_extra("tts")) from error
    return babel


class Cldr:
    """Data of one language.

    Args:
        code: ISO 639-1 code of a language that CLDR has.
    """

    def __init__(self, code: str) -> None:
        self._babel = _babel()
        self._locale = self._babel.Locale.parse(code)

    @cached_property
    def decimal(self) -> str:
        """The decimal sign, "." or ","."""
        return str(self._babel.numbers.get_decimal_symbol(self._locale))

    @cached_property
    def month_first(self) -> bool:
        """Whether 7/4 is a day of July."""
        pattern = self._locale.date_formats["short"].pattern
        return bool(pattern.index("M") < pattern.index("d"))

    @cached_property
    def months(self) -> dict[str, int]:
        """Numbers of the months by names and abbreviations, in lower case without full stops."""
        found: dict[str, int] = {}
        for kind in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in self._locale.months[kind][width].items():
                    found[name.lower().rstrip(".")] = number
                    found.setdefault(name.lower()[:4], number)  # Sept.
                    if width == "abbreviated":
                        found.setdefault(name.lower()[:3], number)
        return found

    def month(self, number: int) -> str:
        """Name of a month, 1 to 12."""
        return str(self._locale.months["format"]["wide"][number])

    def currency(self, code: str, count: Decimal) -> str:
        """Name of a currency, by its ISO 4217 code, for a number of it."""
        return str(self._babel.numbers.get_currency_name(code, count=count, locale=self._locale))

    def unit(self, name: str, count: Decimal) -> str:
        """Name of a unit for a number of it, without the number."""
        written = self._babel.units.format_unit(count, name, length="long", locale=self._locale)
        return self._without(written, count)

    @cached_property
    def symbols(self) -> dict[str, str]:
        """CLDR names of units by their symbols, which are matched with case."""
        found = dict(UNITS)
        for name in _LOCAL:
            for count in (Decimal(1), Decimal(2)):
                short = self._babel.units.format_unit(count, name, length="short", locale=self._locale)
                found.setdefault(self._without(short, count), name)
        return found

    def _without(self, written: str, count: Decimal) -> str:
        number = self._babel.numbers.format_decimal(count, locale=self._locale)
        return re.sub(r"\s+", " ", written.replace(number, "", 1)).strip()
