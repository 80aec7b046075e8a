"""The entities of the simulated home: a table."""

from collections.abc import Callable
from dataclasses import dataclass
import random

from . import generators as make
from .home import Change, HomeEntity, Nature

type Life = Callable[[random.Random, make.Calendar], list[Change]]

PRICE_ENTITY = "sensor.grid_price"
CARBON_ENTITY = "sensor.grid_carbon_intensity"

_CENTS = (22, 21, 20, 19, 19, 20, 24, 29, 31, 28, 24, 20, 17, 15, 14, 18, 24, 31, 36, 38, 33, 28, 25, 23)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An entity, how it lives, how often it drops out a day, and a reading it once gets wrong."""

    entity: HomeEntity
    life: Life
    outages_per_day: float = 0.0
    fault: str | None = None


def _sensor(
    name: str,
    area: str,
    device_class: str | None,
    unit: str | None,
    life: Life,
    *,
    nature: Nature = Nature.LEVEL,
    outages: float = 0.0,
    fault: str | None = None,
) -> Plan:
    state_class = {Nature.LEVEL: "measurement", Nature.REGISTER: "total_increasing", Nature.BALANCE: "total"}[nature]
    traits = {"device_class": device_class, "unit_of_measurement": unit, "state_class": state_class}
    entity = HomeEntity(
        entity_id=f"sensor.{name}",
        nature=nature,
        area=area,
        attributes={"friendly_name": _title(name)} | {key: value for key, value in traits.items() if value},
    )
    return Plan(entity=entity, life=life, outages_per_day=outages, fault=fault)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _thing(
    entity_id: str,
    area: str,
    life: Life,
    *,
    nature: Nature = Nature.SWITCH,
    device_class: str | None = None,
    off: str = "off",
    outages: float = 0.0,
) -> Plan:
    attributes: dict[str, object] = {"friendly_name": _title(entity_id.partition(".")[2])}
    if device_class:
        attributes["device_class"] = device_class
    entity = HomeEntity(entity_id=entity_id, nature=nature, area=area, attributes=attributes, off=off)
    return Plan(entity=entity, life=life, outages_per_day=outages)


def _climate(name: str, area: str, temperature: float, humidity: float) -> list[Plan]:
    heat, damp = f"{name}_temperature", f"{name}_humidity"
    return [
        _sensor(heat, area, "temperature", "°C",
                make.level(f"sensor.{heat}", 240, make.wave(temperature - 1.2, temperature + 1.2, 17), 0.08, 1),
                outages=0.3, fault="85.0" if name == "bathroom" else None),
        _sensor(damp, area, "humidity", "%",
                make.level(f"sensor.{damp}", 300, make.wave(humidity - 5, humidity + 5, 5), 0.5, 1),
                outages=0.2, fault="131.0" if name == "bedroom" else None),
    ]  # fmt: skip


def _appliance(name: str, area: str, watts: float, standby: float, on: float, off: float,
               hours: tuple[float, float] = (0, 24)) -> Plan:  # fmt: skip
    life = make.appliance(f"sensor.{name}_power", watts, standby, on=on, off=off, hours=hours)
    return _sensor(f"{name}_power", area, "power", "W", life, outages=0.1)


def _register(name: str, device_class: str, unit: str, seconds: float, per_hour: make.Profile, digits: int, *,
              start: float = 0.0, daily: bool = False) -> Plan:  # fmt: skip
    life = make.meter(f"sensor.{name}", seconds, per_hour, digits, start=start, daily=daily)
    return _sensor(name, "Utility room", device_class, unit, life, nature=Nature.REGISTER)


def _opening(name: str, area: str, device_class: str, times: float, minutes: float) -> Plan:
    entity_id = f"binary_sensor.{name}"
    return _thing(entity_id, area, make.switch(entity_id, times, minutes, (6.5, 22)), device_class=device_class)


def _motion(name: str, area: str, times: float) -> Plan:
    entity_id = f"binary_sensor.{name}_motion"
    life = make.switch(entity_id, times, 1.5, (6, 23.5))
    return _thing(entity_id, area, life, device_class="motion", outages=0.2)


def _switch(entity_id: str, area: str, times: float, minutes: float, hours: tuple[float, float]) -> Plan:
    return _thing(entity_id, area, make.switch(entity_id, times, minutes, hours))


def _named(entity_id: str, area: str, schedule: dict[float, tuple[str, ...]], device_class: str | None = None) -> Plan:
    life = make.words(entity_id, schedule)
    return _thing(entity_id, area, life, nature=Nature.WORDS, device_class=device_class)


def _battery(name: str, area: str, start: float, per_day: float) -> Plan:
    life = make.battery(f"sensor.{name}_battery", start, per_day)
    return _sensor(f"{name}_battery", area, "battery", "%", life)


ENTITIES: tuple[Plan, ...] = (
    # Power and voltage
    _sensor("house_power", "Utility room", "power", "W",
            make.level("sensor.house_power", 30, make.wave(240, 1500, 19), 60, 0)),
    _sensor("solar_power", "Utility room", "power", "W",
            make.level("sensor.solar_power", 40, make.daylight(4200), 90, 0)),
    _sensor("mains_voltage", "Utility room", "voltage", "V",
            make.level("sensor.mains_voltage", 60, make.wave(228, 234, 3), 0.4, 1)),
    _appliance("fridge", "Kitchen", 86, 1.2, 14, 22),
    _appliance("heat_pump", "Utility room", 1450, 9, 35, 45),
    _appliance("dishwasher", "Kitchen", 1100, 0.4, 50, 700, (8, 23)),
    _appliance("washing_machine", "Utility room", 900, 0.6, 70, 800, (8, 21)),
    _appliance("car_charger", "Garage", 7300, 3.1, 150, 900, (0, 24)),
    _appliance("television", "Living room", 118, 0.5, 130, 240, (17, 23.5)),
    _appliance("desk", "Office", 92, 2.0, 100, 60, (8, 18)),
    # Meters
    _register("grid_import", "energy", "kWh", 75, make.wave(0.15, 1.3, 19), 3, start=18342.117),
    _register("solar_today", "energy", "kWh", 90, make.daylight(3.9), 2, daily=True),
    _register("heat_pump_today", "energy", "kWh", 300, make.wave(0.3, 0.9, 6), 2, daily=True),
    _register("water", "water", "m³", 600, make.wave(0.002, 0.03, 8), 3, start=512.604),
    _register("gas", "gas", "m³", 900, make.wave(0.01, 0.2, 7), 2, start=7011.32),
    _sensor("energy_cost_today", "Utility room", "monetary", "EUR",
            make.balance("sensor.energy_cost_today", 300, make.wave(-0.12, 0.4, 20)), nature=Nature.BALANCE),
    # Climate
    *_climate("living_room", "Living room", 21.3, 46),
    *_climate("bedroom", "Bedroom", 18.4, 52),
    *_climate("bathroom", "Bathroom", 22.0, 61),
    *_climate("office", "Office", 20.6, 44),
    *_climate("garden", "Garden", 11.0, 74),
    _sensor("garden_pressure", "Garden", "atmospheric_pressure", "hPa",
            make.level("sensor.garden_pressure", 600, make.wave(1009, 1017, 10), 0.2, 1)),
    _sensor("garden_illuminance", "Garden", "illuminance", "lx",
            make.level("sensor.garden_illuminance", 120, make.daylight(31000), 300, 0)),
    _sensor("bedroom_carbon_dioxide", "Bedroom", "carbon_dioxide", "ppm",
            make.level("sensor.bedroom_carbon_dioxide", 150, make.wave(480, 1250, 5), 12, 0), outages=0.3),
    _named("climate.living_room", "Living room",
           {5.5: ("heat",), 9.0: ("auto", "off"), 16.5: ("heat",), 22.5: ("off",)}),
    _named("climate.bedroom", "Bedroom", {6.0: ("heat", "off"), 9.0: ("off",), 20.5: ("heat",)}),
    # Doors, motion, light
    _opening("front_door", "Hall", "door", 11, 0.6),
    _opening("terrace_door", "Living room", "door", 6, 8),
    _opening("bedroom_window", "Bedroom", "window", 2, 20),
    _opening("garage_door_contact", "Garage", "garage_door", 4, 2),
    _motion("hall", "Hall", 60),
    _motion("kitchen", "Kitchen", 75),
    _motion("living_room", "Living room", 50),
    _motion("garden", "Garden", 20),
    _switch("light.kitchen", "Kitchen", 7, 35, (6, 22)),
    _switch("light.living_room", "Living room", 3, 120, (16.5, 22)),
    _switch("light.bedroom", "Bedroom", 3, 20, (6, 22.5)),
    _switch("light.hall", "Hall", 14, 4, (6, 23)),
    _switch("switch.coffee_machine", "Kitchen", 3, 25, (6, 15)),
    _switch("switch.garden_pump", "Garden", 2, 30, (7, 19)),
    _switch("fan.bathroom", "Bathroom", 4, 18, (6, 22)),
    _thing("cover.living_room", "Living room",
           make.switch("cover.living_room", 1, 560, (6.8, 7.6), ("closed", "opening", "open")), off="closed"),
    _thing("lock.front_door", "Hall",
           make.switch("lock.front_door", 4, 90, (6.5, 19), ("locked", "unlocking", "unlocked")), off="locked"),
    # People and named states
    _named("person.anna", "Home", {7.6: ("not_home",), 12.5: ("home", "Work", "Work"), 16.9: ("home",)}),
    _named("person.ben", "Home",
           {8.1: ("not_home", "home"), 8.8: ("Work", "home"), 17.6: ("home",), 19.5: ("Gym", "home")}),
    _named("media_player.living_room", "Living room",
           {0.1: ("off",), 17.5: ("playing",), 20.2: ("paused", "playing"), 22.6: ("off", "standby")}),
    _named("vacuum.downstairs", "Living room",
           {0.2: ("docked",), 10.1: ("cleaning",), 10.9: ("returning",), 11.5: ("docked",)}),
    _named("alarm_control_panel.home", "Hall",
           {0.0: ("armed_night",), 6.1: ("disarmed",), 8.9: ("armed_away", "disarmed"), 16.3: ("disarmed",),
            23.0: ("armed_night",)}),
    _named("weather.home", "Garden",
           {0.3: ("clear-night", "cloudy"), 7.9: ("sunny", "fog", "rainy"), 13.0: ("partlycloudy", "rainy"),
            18.8: ("cloudy",)}),
    _named("input_select.house_mode", "Home", {6.0: ("Morning",), 9.0: ("Day",), 18.0: ("Evening",), 23.0: ("Night",)}),
    _named("sensor.washing_machine_program", "Utility room",
           {0.0: ("idle",), 9.5: ("cotton 60", "eco 40"), 12.0: ("idle",)}, "enum"),

    # Batteries
    _battery("front_door", "Hall", 78, 0.9),
    _battery("bedroom_window", "Bedroom", 54, 0.5),
    _battery("car", "Garage", 96, 7.5),
    # What the outside sources can be taken from
    Plan(
        entity=HomeEntity(
            entity_id=PRICE_ENTITY, nature=Nature.LEVEL, area="Utility room",
            attributes={"friendly_name": "Grid price", "unit_of_measurement": "EUR/kWh", "currency": "EUR"},
        ),
        life=make.tariff(PRICE_ENTITY, _CENTS),
    ),
    _sensor("grid_carbon_intensity", "Utility room", None, "gCO2eq/kWh",
            make.level(CARBON_ENTITY, 900, make.wave(180, 420, 19), 6, 0)),
)  # fmt: skip
