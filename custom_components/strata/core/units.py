"""Units: conversion between those of one quantity, and what a price unit says.

Spelling is forgiven, meaning is not: spaces, case and typographic variants (`µ`/`μ`, `m³`/`m3`,
`CO₂`/`CO2`) do not matter unless only the case tells two units apart (`mW`, `MW`).

>>> convert(0.5, "kW", "W")
500.0
>>> price_unit("Eur / MWh")
PriceUnit(currency='EUR', factor=0.001)
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple
import unicodedata


class UnitError(ValueError):
    """A unit is unknown, or two units do not measure the same."""


class PriceUnit(NamedTuple):
    """What a price unit says: times `factor` a price is in whole `currency` per kWh.

    `currency` is an ISO 4217 code, None where the unit does not tell (`ct/kWh`).
    """

    currency: str | None
    factor: float


class _Scale(NamedTuple):
    """A unit of `quantity`: in the base unit a value is `(value - zero) * factor`."""

    quantity: str
    factor: float
    zero: float = 0.0


# Exact by definition: pound (0.45359237 kg), inch (0.0254 m), calorie (4.184 J), US gallon (231 in³). NIST SP 811,
# appendix B: conventional mmHg (13595.1 kg/m³ × 9.80665 m/s² × 1 mm), inch of water at 4 °C, psi, therm (U.S.), Btu_IT.
_POUND_G = 453.59237
_INCH_M = 0.0254
_MMHG_PA = 133.322387415
_FOOT3_M3 = (12 * _INCH_M) ** 3
_GALLON_M3 = 231 * _INCH_M**3
_KWH_J = 3.6e6

_LINEAR: Mapping[str, Mapping[str, float]] = {
    "power": {"mW": 1e-3, "W": 1.0, "kW": 1e3, "MW": 1e6, "GW": 1e9, "TW": 1e12, "BTU/h": 1055.05585262 / 3600},
    "energy": {
        "mWh": 1e-6,
        "Wh": 1e-3,
        "kWh": 1.0,
        "MWh": 1e3,
        "GWh": 1e6,
        "TWh": 1e9,
        "J": 1 / _KWH_J,
        "kJ": 1e3 / _KWH_J,
        "MJ": 1e6 / _KWH_J,
        "GJ": 1e9 / _KWH_J,
        "cal": 4.184 / _KWH_J,
        "kcal": 4.184e3 / _KWH_J,
        "Mcal": 4.184e6 / _KWH_J,
        "Gcal": 4.184e9 / _KWH_J,
        "thm": 1.054804e8 / _KWH_J,
    },
    "pressure": {
        "mPa": 1e-5,
        "Pa": 1e-2,
        "hPa": 1.0,
        "kPa": 10.0,
        "MPa": 1e4,
        "mbar": 1.0,
        "cbar": 10.0,
        "bar": 1e3,
        "atm": 1013.25,
        "mmHg": _MMHG_PA / 100,
        "inHg": 25.4 * _MMHG_PA / 100,
        "inH2O": 2.490889,
        "psi": 68.94757293168,
    },
    "concentration": {"ng/m³": 1e-3, "µg/m³": 1.0, "ug/m³": 1.0, "mg/m³": 1e3, "g/m³": 1e6},
    "volume": {
        "mL": 1e-6,
        "L": 1e-3,
        "m³": 1.0,
        "ft³": _FOOT3_M3,
        "CCF": 100 * _FOOT3_M3,
        "MCF": 1000 * _FOOT3_M3,
        "gal": _GALLON_M3,
        "fl. oz.": _GALLON_M3 / 128,
    },
}
"""Per quantity its units, as multiples of one base unit: W, kWh, hPa, µg/m³, m³."""

_TEMPERATURE: Mapping[str, tuple[float, float]] = {
    "°C": (1.8, 0.0),
    "degC": (1.8, 0.0),
    "°F": (1.0, 32.0),
    "degF": (1.0, 32.0),
    "K": (1.8, 273.15),
}
"""Size of a degree in Fahrenheit steps, so that 1.8 stays exact to the last digit, and where water freezes."""
_MASS_G: Mapping[str, float] = {"g": 1.0, "kg": 1e3, "t": 1e6, "lb": _POUND_G, "lbs": _POUND_G}
_CARBON = ("", "CO2", "CO2e", "CO2eq", "CO2-eq")
_PER_ENERGY: Mapping[str, float] = {"Wh": 1e-3, "kWh": 1.0, "MWh": 1e3, "GWh": 1e6}

_ISO_4217 = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY
    COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP
    MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR
    SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND
    VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a list of quoted codes is hard to compare with the standard
)
_DOLLARS = ("USD", "AUD", "CAD", "NZD", "SGD", "HKD", "TWD", "MXN", "BZD", "BBD", "BSD", "BMD", "FJD", "JMD", "TTD")
_CROWNS = ("SEK", "NOK", "DKK", "ISK")
_ANY: tuple[str, ...] = ()

_MONEY: Mapping[str, tuple[float, tuple[str, ...]]] = {
    "€": (1.0, ("EUR",)),
    "euro": (1.0, ("EUR",)),
    "£": (1.0, ("GBP",)),
    "$": (1.0, _DOLLARS),
    "us$": (1.0, ("USD",)),
    "a$": (1.0, ("AUD",)),
    "c$": (1.0, ("CAD",)),
    "nz$": (1.0, ("NZD",)),
    "kr": (1.0, _CROWNS),
    "kr.": (1.0, _CROWNS),
    "zł": (1.0, ("PLN",)),
    "kč": (1.0, ("CZK",)),
    "ft": (1.0, ("HUF",)),
    "lei": (1.0, ("RON",)),
    "fr.": (1.0, ("CHF",)),
    "¥": (1.0, ("JPY", "CNY")),
    "₹": (1.0, ("INR",)),
    "₩": (1.0, ("KRW",)),
    "₺": (1.0, ("TRY",)),
    "₴": (1.0, ("UAH",)),
    "₪": (1.0, ("ILS",)),
    "r$": (1.0, ("BRL",)),
    "ct": (0.01, _ANY),
    "cts": (0.01, _ANY),
    "c": (0.01, _ANY),
    "cent": (0.01, _ANY),
    "cents": (0.01, _ANY),
    "¢": (0.01, _DOLLARS),
    "us¢": (0.01, ("USD",)),
    "€ct": (0.01, ("EUR",)),
    "€c": (0.01, ("EUR",)),
    "eurocent": (0.01, ("EUR",)),
    "eurocents": (0.01, ("EUR",)),
    "p": (0.01, ("GBP",)),
    "pence": (0.01, ("GBP",)),
    "öre": (0.01, ("SEK",)),
    "øre": (0.01, ("NOK", "DKK")),
    "ore": (0.01, _CROWNS[:3]),
    "gr": (0.01, ("PLN",)),
    "grosz": (0.01, ("PLN",)),
    "rp": (0.01, ("CHF",)),
    "rp.": (0.01, ("CHF",)),
    "rappen": (0.01, ("CHF",)),
}
"""Signs and names of money: how much of the whole unit, and the currencies it may mean."""


def _plain(unit: str) -> str:
    """Return `unit` without spaces and typographic variants; its case is kept."""
    return "".join(unicodedata.normalize("NFKC", unit).split())


def _scales() -> Iterator[tuple[str, _Scale]]:
    for quantity, units in _LINEAR.items():
        for unit, factor in units.items():
            yield unit, _Scale(quantity, factor)
    for unit, (factor, zero) in _TEMPERATURE.items():
        yield unit, _Scale("temperature", factor, zero)
    for mass, grams in _MASS_G.items():
        for carbon in _CARBON:
            for energy, kwh in _PER_ENERGY.items():
                yield f"{mass}{carbon}/{energy}", _Scale("intensity", grams / kwh)


_EXACT: Mapping[str, _Scale] = {_plain(unit): scale for unit, scale in _scales()}
_FOLDED: dict[str, list[str]] = {}
for _unit in _EXACT:
    _FOLDED.setdefault(_unit.casefold(), []).append(_unit)


@lru_cache(maxsize=512)
def _scale(unit: str) -> _Scale | None:
    plain = _plain(unit)
    if plain in _EXACT:
        return _EXACT[plain]
    meant = _FOLDED.get(plain.casefold(), [])
    if len(meant) > 1:
        raise UnitError(f"the unit {unit!r} may mean {' or '.join(sorted(meant))}: write it exactly")
    return _EXACT[meant[0]] if meant else None


def convert(value: float, from_unit: str, to_unit: str) -> float:
    """Return `value`, given in `from_unit`, in `to_unit`.

    Knows power, energy, volume, pressure, temperature, concentration (mass per volume), carbon
    intensity (mass per energy) and prices per energy in one currency. Between two spellings of
    the same unit nothing has to be known.

    Raises:
        UnitError: the units do not measure the same, or one of them is unknown.
    """
    if from_unit == to_unit or _plain(from_unit) == _plain(to_unit):
        return value
    source, target = _scale(from_unit), _scale(to_unit)
    if source and target and source.quantity == target.quantity:
        return (value - source.zero) * source.factor / target.factor + target.zero
    try:
        return value * _price_ratio(from_unit, to_unit)
    except UnitError:
        raise UnitError(f"cannot convert {from_unit!r} to {to_unit!r}") from None


def _price_ratio(from_unit: str, to_unit: str) -> float:
    # Where one unit leaves its currency open (ct/kWh to EUR/kWh), the other's is meant.
    source = price_unit(from_unit, price_unit(to_unit).currency)
    target = price_unit(to_unit, source.currency)
    if source.currency != target.currency:
        raise UnitError(f"{from_unit!r} and {to_unit!r} are in different currencies")
    return source.factor / target.factor


def is_currency(code: object) -> bool:
    """Tell whether `code` is the ISO 4217 code of a currency."""
    return code in _ISO_4217


@lru_cache(maxsize=256)
def price_unit(text: str, currency: str | None = None) -> PriceUnit:
    """Return what a price unit such as `EUR/MWh`, `ct/kWh` or `öre/kWh` says.

    `currency` (ISO 4217, usually the home's) decides where the unit leaves it open: `ct`, `$`,
    `kr`. It never overrules a unit that names its currency.

    Raises:
        UnitError: `text` is no money per energy.
    """
    money, _, energy = _plain(text).casefold().partition("/")
    # A price is never per milliwatt hour, so the case of its energy does not matter.
    kwh = next((kwh for unit, kwh in _PER_ENERGY.items() if unit.casefold() == energy), None)
    if kwh is not None and money in _MONEY:
        share, candidates = _MONEY[money]
        return PriceUnit(_choose(candidates, currency), share / kwh)
    if kwh is not None and money.upper() in _ISO_4217:
        return PriceUnit(money.upper(), 1 / kwh)
    raise UnitError(f"{text!r} is not a price per energy such as EUR/kWh, EUR/MWh or ct/kWh")


def _choose(candidates: tuple[str, ...], currency: str | None) -> str | None:
    if len(candidates) == 1:
        return candidates[0]
    return currency if not candidates or currency in candidates else None
