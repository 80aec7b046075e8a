"""Unit conversions, against values from NIST SP 811, the definitions of the units and the sources' documentation."""

from hypothesis import given, strategies as st
import pytest

from custom_components.strata.core.units import PriceUnit, UnitError, convert, price_unit


@pytest.mark.parametrize(
    ("value", "from_unit", "to_unit", "expected"),
    [
        (1.5, "kW", "W", 1500),
        (2_500_000, "W", "MW", 2.5),
        (250, "mW", "W", 0.25),
        (12_000, "BTU/h", "W", 3516.85),
        (1, "kWh", "Wh", 1000),
        (0.5, "MWh", "kWh", 500),
        (3.6, "MJ", "kWh", 1),
        (1, "thm", "kWh", 29.3001),
        (1000, "kcal", "kWh", 1.162222),
        (1013.25, "hPa", "atm", 1),
        (1013.25, "mbar", "hPa", 1013.25),
        (29.92, "inHg", "hPa", 1013.207),
        (760, "mmHg", "hPa", 1013.25),
        (1, "psi", "kPa", 6.894757),
        (1, "inH₂O", "Pa", 249.0889),
        (2.1, "bar", "kPa", 210),
        (100, "°C", "°F", 212),
        (-40, "°F", "°C", -40),
        (0, "K", "°C", -273.15),
        (98.6, "°F", "K", 310.15),
        (12, "µg/m³", "mg/m³", 0.012),
        (0.4, "mg/m3", "μg/m³", 400),
        (35, "ug/m3", "µg/m³", 35),
        (1, "m³", "L", 1000),
        (1, "gal", "L", 3.785411784),
        (1, "CCF", "m³", 2.831685),
        (128, "fl. oz.", "gal", 1),
        # WattTime gives lb/MWh; the pound is 0.45359237 kg.
        (1000, "lb/MWh", "gCO2eq/kWh", 453.59237),
        (1000, "lbs CO2/MWh", "g/kWh", 453.59237),
        (0.4, "kgCO2/kWh", "gCO2eq/kWh", 400),
        (320, "kgCO2/MWh", "gCO2/kWh", 320),
        (0.2, "t/MWh", "kg/MWh", 200),
        (211, "gCO₂-eq / kWh", "gCO2e/kWh", 211),
        # 73.21 EUR/MWh is 7.321 cents a kilowatt hour.
        (73.21, "EUR / MWh", "EUR/kWh", 0.07321),
        (73.21, "Eur/MWh", "ct/kWh", 7.321),
        (31.5, "p/kWh", "GBP/kWh", 0.315),
        (25, "ct/kWh", "c/MWh", 25_000),
        (-12.3, "€/MWh", "EUR/kWh", -0.0123),
    ],
)
def test_conversion_by_hand(value: float, from_unit: str, to_unit: str, expected: float) -> None:
    assert convert(value, from_unit, to_unit) == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize(
    ("celsius", "fahrenheit"), [(20.0, 68.0), (21.5, 70.7), (85.0, 185.0), (-127.0, -196.6), (0.0, 32.0)]
)
def test_temperatures_keep_their_last_digit(celsius: float, fahrenheit: float) -> None:
    assert convert(celsius, "°C", "°F") == fahrenheit
    assert convert(fahrenheit, "°F", "°C") == pytest.approx(celsius, abs=1e-12)


@pytest.mark.parametrize(
    ("from_unit", "to_unit"), [("lx", "lx"), ("°C", " °c"), ("μg/m³", "µg / m3"), ("dB", "dB "), ("%", "%")]
)
def test_spellings_of_one_unit_need_no_table(from_unit: str, to_unit: str) -> None:
    assert convert(7.5, from_unit, to_unit) == 7.5


@pytest.mark.parametrize(("text", "watts"), [("kw", 1000), ("KW", 1000), ("w", 1), ("gw", 1e9), ("k W", 1000)])
def test_case_and_spaces_do_not_matter(text: str, watts: float) -> None:
    assert convert(1, text, "W") == watts


@pytest.mark.parametrize(("text", "meanings"), [("mw", "MW or mW"), ("MWH", "MWh or mWh"), ("Mpa", None)])
def test_case_is_asked_for_where_it_decides(text: str, meanings: str | None) -> None:
    with pytest.raises(UnitError, match=meanings or "MPa or mPa") as refused:
        convert(1, text, {"mw": "W", "MWH": "kWh", "Mpa": "hPa"}[text])
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("from_unit", "to_unit"),
    [
        ("W", "kWh"),
        ("°C", "hPa"),
        ("ppm", "µg/m³"),
        ("EUR/kWh", "SEK/kWh"),
        ("EUR/kWh", "g/kWh"),
        ("lb/MWh", "EUR/kWh"),
        ("W", "parsec"),
        ("parsec", "W"),
        ("", "W"),
    ],
)
def test_units_that_do_not_fit_are_both_named(from_unit: str, to_unit: str) -> None:
    with pytest.raises(UnitError) as refused:
        convert(1, from_unit, to_unit)
    assert repr(from_unit) in str(refused.value)
    assert repr(to_unit) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "home", "currency", "factor"),
    [
        ("EUR/kWh", None, "EUR", 1),
        ("EUR / MWh", None, "EUR", 0.001),
        ("Eur/MWh", None, "EUR", 0.001),
        ("eur/mwh", "SEK", "EUR", 0.001),
        ("€/kWh", None, "EUR", 1),
        ("£/kWh", None, "GBP", 1),
        ("GBP/MWh", "EUR", "GBP", 0.001),
        ("DKK/Wh", None, "DKK", 1000),
        ("NOK/GWh", None, "NOK", 1e-6),
        ("p/kWh", None, "GBP", 0.01),
        ("P/kWh", None, "GBP", 0.01),
        ("pence/kWh", None, "GBP", 0.01),
        ("ct/kWh", None, None, 0.01),
        ("ct/kWh", "EUR", "EUR", 0.01),
        ("Cent/kWh", "USD", "USD", 0.01),
        ("c/kWh", "AUD", "AUD", 0.01),
        ("€ct/kWh", "USD", "EUR", 0.01),
        ("¢/kWh", "USD", "USD", 0.01),
        ("¢/kWh", None, None, 0.01),
        ("¢/kWh", "EUR", None, 0.01),
        ("$/kWh", "AUD", "AUD", 1),
        ("$/MWh", "USD", "USD", 0.001),
        ("$/kWh", None, None, 1),
        ("öre/kWh", None, "SEK", 0.01),
        ("Öre/kWh", None, "SEK", 0.01),
        ("øre/kWh", "NOK", "NOK", 0.01),
        ("Øre/kWh", "DKK", "DKK", 0.01),
        ("øre/kWh", None, None, 0.01),
        ("ore/kWh", "SEK", "SEK", 0.01),
        ("kr/kWh", "SEK", "SEK", 1),
        ("kr./kWh", "DKK", "DKK", 1),
        ("zł/kWh", None, "PLN", 1),
        ("Kč/kWh", None, "CZK", 1),
        ("Rp./kWh", None, "CHF", 0.01),
        ("gr/kWh", None, "PLN", 0.01),
    ],
)
def test_price_unit_by_hand(text: str, home: str | None, currency: str | None, factor: float) -> None:
    told = price_unit(text, home)
    assert told.currency == currency
    assert told.factor == pytest.approx(factor, rel=1e-12)


def test_price_unit_is_currency_and_factor() -> None:
    assert price_unit("EUR/MWh") == PriceUnit("EUR", 0.001)


@pytest.mark.parametrize(
    "text", ["", "/", "EUR", "EUR/", "/kWh", "lb/MWh", "g/kWh", "EUR/kW", "XYZ/kWh", "kWh/EUR", "%"]
)
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="not a price per energy") as refused:
        price_unit(text)
    assert repr(text) in str(refused.value)


@given(
    st.floats(-1e9, 1e9),
    st.sampled_from([("W", "MW"), ("J", "MWh"), ("psi", "inHg"), ("°F", "K"), ("lb/MWh", "g/kWh"), ("p/kWh", "£/MWh")]),
)
def test_there_and_back_again(value: float, units: tuple[str, str]) -> None:
    one, other = units
    assert convert(convert(value, one, other), other, one) == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(st.floats(), st.sampled_from(["kW", "°F", "EUR/MWh"]), st.sampled_from(["W", "K", "ct/kWh", "%"]))
def test_any_float_converts_or_is_refused(value: float, from_unit: str, to_unit: str) -> None:
    try:
        assert isinstance(convert(value, from_unit, to_unit), float)
    except UnitError as refused:
        assert from_unit in str(refused)  # noqa: PT017 - either outcome is right, but a refusal names the unit


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_converts_or_is_refused(from_unit: str, to_unit: str) -> None:
    same = "".join(from_unit.split()) == "".join(to_unit.split())
    try:
        result = convert(1.0, from_unit, to_unit)
    except UnitError:
        assert not same
    else:
        assert result != 0
