"""Numeric entities that follow people: power of appliances, the whole house, the network."""

from collections.abc import Callable, Mapping

import numpy as np

from .simulated import DAY, HOUR, Floats, Series, Trait, World


def fridge(world: World) -> Series:
    """Return a fridge: a compressor that runs more when it is warm and used, and defrosts once a day."""
    duty = np.clip(0.3 + 0.006 * (world.outdoor - 10) + 0.04 * world.awake * world.home, 0.15, 0.9)
    power = _cycles(world, duty, period=HOUR * 0.75, on=85, off=2)
    defrost = int(world.rng.integers(0, DAY))
    for day in range(len(world) // DAY):
        at = day * DAY + defrost + int(world.rng.integers(-6, 7))
        power[max(at, 0) : max(at, 0) + 3] = 180 + world.rng.normal(0, 6)
    return _series("fridge", "W", power, Trait.POSITIVE, Trait.SWITCHES)


def freezer(world: World) -> Series:
    """Return a freezer in the cellar, which hardly notices people."""
    duty = np.full(len(world), 0.35) + 0.003 * (world.outdoor - 10)
    return _series(
        "freezer", "W", _cycles(world, duty, period=HOUR * 1.2, on=110, off=1.5), Trait.POSITIVE, Trait.SWITCHES
    )


def car(world: World) -> Series:
    """Return a charger: most evenings of working days, for as long as was driven; some days not at all."""
    power = np.zeros(len(world))
    chance = np.where(world.weekend, 0.35, 0.7)
    for day in range(len(world) // DAY):
        if world.rng.random() < chance[day * DAY]:
            start = day * DAY + int((18 + world.rng.normal(0, 1.2)) * HOUR)
            length = int(np.clip(world.rng.lognormal(np.log(2.5), 0.5), 0.5, 8) * HOUR)
            power[start : start + length] = 7300
            power[start + length - 3 : start + length] = np.array([5200, 3100, 1500])[
                : len(power[start + length - 3 : start + length])
            ]
    power = np.where(power > 0, power + world.noise(35), 3 + world.noise(0.2))
    return _series("car", "W", power, Trait.POSITIVE, Trait.RESTS, Trait.SWITCHES)


def water_heater(world: World) -> Series:
    """Return an electric water heater: heats after showers and dishes, and a little against losses."""
    need = 0.012 * world.home * world.awake * ((world.hour < 9) | (world.hour > 18)) + 0.006
    power = np.zeros(len(world))
    for at in np.flatnonzero(world.rng.random(len(world)) < need * 2):
        power[at : at + int(world.rng.integers(1, 7))] = 2000
    return _series(
        "water_heater",
        "W",
        np.where(power > 0, power + world.noise(15), 0.0),
        Trait.POSITIVE,
        Trait.DAILY,
        Trait.RESTS,
        Trait.SWITCHES,
    )


def washer(world: World) -> Series:
    """Return a washing machine: every second day or so, heating first, spinning last."""
    power = np.full(len(world), 1.2) + world.noise(0.05)
    for day in range(len(world) // DAY):
        if world.rng.random() < (0.65 if world.weekend[day * DAY + HOUR * 12] else 0.4):
            start = day * DAY + int(world.rng.uniform(8, 19) * HOUR)
            shape = np.concatenate(([2000.0] * 4, [150.0] * 12, [400.0] * 3))
            part = power[start : start + len(shape)]
            part += shape[: len(part)] * world.rng.uniform(0.9, 1.1)
    return _series("washer", "W", power, Trait.POSITIVE, Trait.RESTS)


def television(world: World) -> Series:
    """Return television and what stands around it: standby, and evenings."""
    power = np.full(len(world), 9.0)
    for day in range(len(world) // DAY):
        if world.rng.random() < 0.9:
            start = day * DAY + int((19.3 + world.rng.normal(0, 0.8)) * HOUR)
            power[start : start + int(world.rng.uniform(1.2, 4) * HOUR)] = 120
        if world.weekend[day * DAY + 6 * HOUR] and world.rng.random() < 0.4:
            start = day * DAY + int(world.rng.uniform(9, 15) * HOUR)
            power[start : start + int(world.rng.uniform(1, 3) * HOUR)] = 120
    values = power * (1 + world.noise(0.03, 0.5))
    return _series("television", "W", values, Trait.POSITIVE, Trait.DAILY, Trait.BASE, Trait.SWITCHES)


def desk(world: World) -> Series:
    """Return a desk where somebody works from home on some days."""
    at_home = world.awake & (world.home > 0) & (world.hour > 8.5) & (world.hour < 17.5) & ~world.weekend
    works = world.rng.random(int(world.day[-1]) + 1) < 0.6
    power = (
        6
        + 75 * (at_home & works[world.day])
        + 20 * (world.awake & (world.hour > 20) & (world.rng.random(len(world)) < 0.5))
    )
    return _series("desk", "W", power * (1 + world.noise(0.06, 0.7)), Trait.POSITIVE, Trait.BASE)


def server(world: World) -> Series:
    """Return a small server: almost constant, with jobs at night."""
    job = (np.abs(world.hour - 3.2) < 0.3) * 14
    return _series(
        "server", "W", 31 + job + 4 * (world.noise(1) > 2) + world.noise(0.7, 0.5), Trait.POSITIVE, Trait.BASE
    )


def lights(world: World) -> Series:
    """Return the light circuit: when it is dark and somebody is awake."""
    dark = np.clip(1 - 6 * world.sun, 0, 1)
    level = world.awake * dark * (25 + 22 * world.home) * np.clip(1 + world.noise(0.35, 0.9), 0.1, 3)
    return _series("lights", "W", 2 + level + world.noise(0.1), Trait.POSITIVE, Trait.DAILY, Trait.BASE)


def latency(world: World) -> Series:
    """Return the round trip to a server: evenings are slower, and sometimes it is much slower."""
    base = 14 + 5 * ((world.hour > 19) & (world.hour < 23)) + world.rng.gamma(2, 1.2, len(world))
    rare = (world.rng.random(len(world)) < 0.003) * world.rng.lognormal(3, 0.7, len(world))
    return _series("latency", "ms", np.round(base + rare, 1), Trait.POSITIVE)


def traffic(world: World) -> Series:
    """Return the network's download rate: people, and updates at night."""
    use = world.awake * world.home * np.clip(world.rng.lognormal(0.6, 0.9, len(world)), 0, 40)
    update = (np.abs(world.hour - 4) < 0.2) * world.rng.uniform(0, 30, len(world))
    return _series("traffic", "Mbit/s", 0.3 + use + update + np.abs(world.noise(0.1)), Trait.POSITIVE, Trait.DAILY)


def house(world: World, parts: Mapping[str, Series]) -> Series:
    """Return the whole house: what is measured, cooking, and what nobody has found yet."""
    total = 95 + world.noise(8, 0.9)
    for name in (
        "fridge",
        "freezer",
        "car",
        "water_heater",
        "washer",
        "television",
        "desk",
        "server",
        "lights",
        "heat_pump",
    ):
        total = total + np.nan_to_num(parts[name].values)
    for day in range(len(world) // DAY):
        for hour, chance in ((7.2, 0.7), (12.3, 0.35), (18.6, 0.85)):
            if world.rng.random() < chance:
                start = day * DAY + int((hour + world.rng.normal(0, 0.4)) * HOUR)
                total[start : start + int(world.rng.integers(2, 9))] += world.rng.uniform(800, 2400)
    return _series("house", "W", np.clip(total, 0, None), Trait.POSITIVE, Trait.BASE)


def _cycles(world: World, duty: Floats, *, period: float, on: float, off: float) -> Floats:
    """Return the five-minute means of a compressor that switches."""
    steps = (1 + world.noise(0.15, 0.3)) / period
    phase = np.cumsum(np.clip(steps, 0.01, None))
    edges = np.concatenate(([0.0], phase))
    ends = np.floor(edges) + np.minimum(edges % 1, np.append(duty, duty[-1])) / np.append(duty, duty[-1])
    # Share of a cell in the running part of the cycle, smoothed by how long a cell is.
    running = np.clip(np.diff(ends) / np.maximum(np.diff(edges) / duty, 1e-9), 0, 1)
    return off + on * running * (1 + world.noise(0.02)) + np.abs(world.noise(0.1))


def _series(name: str, unit: str, values: Floats, *traits: Trait) -> Series:
    return Series(name, unit, values, frozenset(traits))


DEVICES: Mapping[str, Callable[[World], Series]] = {
    make.__name__: make
    for make in (fridge, freezer, car, water_heater, washer, television, desk, server, lights, latency, traffic)
}
"""Entities by name; the whole house is added from them."""
