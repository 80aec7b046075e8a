"""Electricity prices: what a kilowatt-hour costs now and in each coming slot."""

from datetime import timedelta

from ..base import Reading, Role, StoredField, StoredForecast
from .action import Action
from .amber import Amber
from .awattar import AwattarAustria, AwattarGermany
from .comed import ComEd
from .energi_data_service import EnergiDataService
from .energy_charts import EnergyCharts
from .entity import Entity
from .entsoe import Entsoe
from .metrics import METRICS
from .nordpool import NordPool
from .octopus import Octopus
from .prices import CHEAPEST, DEAREST, EXPORT, PEAK, PRICE, TOTAL, price_fields
from .tariff import StaticTariff
from .tibber import Tibber
from .totals import DETAILS, lacks, refine

WITHOUT_SLOTS_GOOD_FOR = timedelta(hours=2)
# The European market's prices stay within -0.5 and 5 EUR/kWh by its harmonised limits; other currencies count
# in numbers up to a few hundred times as large.
LOWEST, HIGHEST = -1000.0, 10_000.0


def _good_for(reading: Reading) -> timedelta | None:
    return None if PRICE in reading.forecasts else WITHOUT_SLOTS_GOOD_FOR


def _stored_forecast(key: str, field: str) -> StoredForecast:
    return StoredForecast(
        forecast=key, measurement="electricity_pricing_forecast", field=field, offset_field="hour_offset"
    )


ELECTRICITY_PRICING = Role(
    key="electricity_pricing",
    measurement="electricity_pricing",
    tags=("provider", "currency"),
    fields=(
        StoredField(name=PRICE, minimum=LOWEST, maximum=HIGHEST),
        StoredField(name=PEAK, kind="on_off"),
        StoredField(name=CHEAPEST, kind="text"),
        StoredField(name=DEAREST, kind="text"),
        StoredField(name=TOTAL, minimum=LOWEST, maximum=HIGHEST),
        StoredField(name=EXPORT, minimum=LOWEST, maximum=HIGHEST),
    ),
    metrics=METRICS,
    main=PRICE,
    interval=timedelta(hours=1),
    good_for=_good_for,
    providers=(
        EnergyCharts,
        NordPool,
        AwattarGermany,
        AwattarAustria,
        EnergiDataService,
        Octopus,
        ComEd,
        StaticTariff,
        Entity,
        Action,
        Tibber,
        Entsoe,
        Amber,
    ),
    forecasts=(_stored_forecast(PRICE, "price"), _stored_forecast(TOTAL, TOTAL), _stored_forecast(EXPORT, EXPORT)),
    slot_bound=True,
    fields_at=price_fields,
    details=DETAILS,
    refine=refine,
    lacks=lacks,
    shown=(TOTAL, EXPORT),
)
