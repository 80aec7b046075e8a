"""Which providers a form offers, in which order, and which one is best for this home."""

from typing import Final

from homeassistant.helpers import selector as sel

from ..sources.base import Home, ParamKind, Provider, Role

AUTO: Final = "auto"
"""The choice of whoever does not want to choose."""


def choice(key: str, options: list[str]) -> sel.SelectSelector:
    """Return a list of options with translated names."""
    return sel.SelectSelector(
        sel.SelectSelectorConfig(options=options, translation_key=key, mode=sel.SelectSelectorMode.LIST)
    )


def in_order(role: Role, home: Home) -> list[str]:
    """Return the providers, the best for this home first.

    Keyless before those with a key; then those made for where the home is, in its own currency first; then those for
    everywhere, those that read Home Assistant itself, and those made for elsewhere.
    """

    def order(provider: type[Provider]) -> tuple[bool, int, bool]:
        needs_key = any(param.kind is ParamKind.SECRET and param.required for param in provider.params)
        foreign = bool(provider.currencies) and home.currency not in provider.currencies
        if provider.covers(home):
            return needs_key, 0, foreign
        if provider.countries:
            return needs_key, 3, foreign
        return needs_key, 2 if provider.local else 1, foreign

    return [provider.key for provider in sorted(role.providers, key=order)]


def best(role: Role, home: Home) -> type[Provider]:
    """Return the provider that is proposed where the user leaves the choice to us."""
    return role.provider(in_order(role, home)[0])
