"""Numeric entities that follow weather and rooms: temperature, humidity, pressure, CO₂, heating, sun."""

from collections.abc import Callable, Mapping

import numpy as np

from .simulated import DAY, Floats, Series, Trait, World, smooth


def outdoor_temperature(world: World) -> Series:
    """Return what a thermometer in the garden says."""
    return _series("outdoor_temperature", "°C", np.round(world.outdoor + world.noise(0.1, 0.8), 1))


def _indoor(world: World, target: Floats, memory: float) -> Floats:
    """Return a room's temperature that follows its target and leaks a little to the outside."""
    pull = target + 0.04 * (world.outdoor - target) + 1.2 * world.sun
    return smooth((1 - memory) * (pull - pull[0]), memory) + pull[0]


def living_temperature(world: World) -> Series:
    """Return a heated room that is colder at night."""
    target = 20.8 - 1.5 * ((world.hour < 6) | (world.hour >= 22.5))
    values = _indoor(world, target, 0.97) + 0.15 * world.home * world.awake + world.noise(0.05, 0.9)
    return _series("living_temperature", "°C", np.round(values, 1))


def bedroom_temperature(world: World) -> Series:
    """Return a room whose window is opened most evenings, and some mornings."""
    values = _indoor(world, np.full(len(world), 18.5), 0.985) + world.noise(0.05, 0.9)
    opened = np.zeros(len(world))
    for day in range(int(world.day[-1]) + 1):
        if world.rng.random() < 0.7:
            start = np.searchsorted(world.day + world.hour / 24, day + (21.8 + world.rng.normal(0, 0.5)) / 24)
            opened[start : start + int(world.rng.integers(2, 8))] = 1
    cold = smooth(opened * 0.05 * np.clip(18 - world.outdoor, 0, None), 0.93)
    return _series("bedroom_temperature", "°C", np.round(values - cold, 1))


def living_humidity(world: World) -> Series:
    """Return a room's relative humidity: the outdoor air, and people."""
    values = 48 + 0.5 * (world.outdoor - 10) + 1.5 * world.home * world.awake + world.noise(3.0, 0.995)
    return _series("living_humidity", "%", np.round(np.clip(values, 5, 99) + world.noise(0.2), 1))


def bath_humidity(world: World) -> Series:
    """Return a bathroom's relative humidity: showers, and an hour or two until the air is dry again."""
    shower = np.zeros(len(world))
    starts = np.flatnonzero(np.diff(world.awake.astype(int)) == 1)
    for start in starts:
        for _ in range(int(world.home[start + 1])):
            at = start + int(world.rng.integers(1, 14))
            shower[at : at + int(world.rng.integers(1, 4))] += world.rng.uniform(6, 16)
    evening = np.flatnonzero((np.abs(world.hour - 21) < 0.04) & (world.rng.random(len(world)) < 0.5))
    for at in evening:
        shower[at : at + 3] += world.rng.uniform(5, 14)
    values = 52 + 0.4 * (world.outdoor - 10) + smooth(shower, 0.92) + world.noise(2.0, 0.99)
    return _series("bath_humidity", "%", np.round(np.clip(values, 5, 99), 1), Trait.DAILY)


def pressure(world: World) -> Series:
    """Return the air pressure."""
    return _series("pressure", "hPa", np.round(1013 + world.noise(8.0, 0.9995), 1), Trait.SLOW)


def co2(world: World) -> Series:
    """Return a bedroom's CO₂: people, and the window."""
    sources = world.home * (0.5 + 0.5 * ~world.awake) * 14
    values = 420 + smooth(sources, 0.975) + world.noise(12, 0.7)
    return _series("co2", "ppm", np.round(values), Trait.DAILY, Trait.POSITIVE)


def heat_pump(world: World) -> Series:
    """Return a heat pump's power: degree days, night setback, defrosting in cold damp weather."""
    rng = world.rng
    demand = np.clip((19 - 1.5 * ((world.hour < 5) | (world.hour > 22)) - world.outdoor) / 28, 0, 1)
    power = 450 + 2200 * demand + world.noise(60, 0.6)
    running = smooth(rng.normal(0, 0.3, len(world)), 0.9) + 6 * demand - 0.6 > 0
    power = np.where(running, power, 12 + world.noise(1))
    for at in np.flatnonzero(running & (world.outdoor < 4) & (rng.random(len(world)) < 0.02)):
        power[at : at + 2] = 3400 + rng.normal(0, 80)
    water = np.flatnonzero((np.abs(world.hour - 13.5) < 0.042) & (rng.random(len(world)) < 0.95))
    for at in water:
        power[at : at + int(rng.integers(6, 12))] = 2100 + rng.normal(0, 60)
    return _series("heat_pump", "W", np.clip(power, 0, None), Trait.POSITIVE)


def solar(world: World) -> Series:
    """Return a photovoltaic system's power: sun, with the flicker of broken clouds."""
    flicker = np.clip(1 + world.noise(0.25, 0.6) * (world.sun < 0.7), 0.1, 1.3)
    values = 6000 * world.sun * flicker
    return _series(
        "solar", "W", np.round(np.where(values > 15, values, 0), 1), Trait.POSITIVE, Trait.DAILY, Trait.RESTS
    )


def battery(world: World) -> Series:
    """Return a sensor's battery: whole percents that go down over months, and a bit with the cold."""
    level = world.rng.uniform(55, 95) - np.arange(len(world)) / DAY * world.rng.uniform(0.1, 0.4)
    return _series("battery", "%", np.round(level + 0.05 * (world.outdoor - 10)), Trait.SLOW)


def _series(name: str, unit: str, values: Floats, *traits: Trait) -> Series:
    return Series(name, unit, values, frozenset(traits))


CLIMATE: Mapping[str, Callable[[World], Series]] = {
    make.__name__: make
    for make in (
        outdoor_temperature,
        living_temperature,
        bedroom_temperature,
        living_humidity,
        bath_humidity,
        pressure,
        co2,
        heat_pump,
        solar,
        battery,
    )
}
"""Entities by name."""
