"""Anywhere: Emporia Vue energy monitors through Emporia's cloud, which is not an official interface."""

from typing import ClassVar, override

from ..base import Context, Options, Param, ParamKind, Provider, Reading
from .emporia_api import EmporiaAccount
from .emporia_channels import energy_today, meter_of
from .meter import SHARED, MeterReader


class EmporiaVue(Provider):
    """The panels of an account with their circuits, plugs and chargers, minute by minute."""

    key = "emporia_vue"
    base_url = "https://api.emporiaenergy.com"
    attribution = "Emporia Energy"
    requirements = ("pyemvue>=0.18",)
    params: ClassVar[tuple[Param, ...]] = (
        Param(key="username", kind=ParamKind.TEXT),
        Param(key="password", kind=ParamKind.SECRET),
        *SHARED,
    )

    def __init__(self, options: Options) -> None:
        """Keep the parameters, and room for the login."""
        super().__init__(options)
        self._meter = MeterReader(options)
        self._account = EmporiaAccount(str(options["username"]), str(options["password"]))

    @override
    def title(self) -> str:
        return str(self.options["username"]).partition("@")[0]

    @override
    async def fetch(self, context: Context) -> Reading:
        now, timeout = context.now(), context.timeout
        devices = await context.run_blocking(lambda: self._account.devices(now, timeout))
        minute = await context.run_blocking(lambda: self._account.usage(devices, "1MIN", now))
        day = await context.run_blocking(lambda: self._account.usage(devices, "1D", now))
        return await self._meter.reading(context, meter_of(self.key, devices, minute, energy_today(devices, day)))
