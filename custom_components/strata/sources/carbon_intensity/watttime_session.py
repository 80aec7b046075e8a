"""Requests to WattTime: a login gives a token for half an hour, kept in the provider's memory."""

import base64
from datetime import timedelta
from typing import Final

from ..answer import mapping, moment
from ..base import Context, Json, Options
from ..errors import SourceBadAnswer, SourceUnauthorized

TOKEN_GOOD_FOR: Final = timedelta(minutes=25)
"""A token lives 30 minutes."""
SIGNAL: Final = "co2_moer"


async def signed_get(context: Context, options: Options, path: str, **params: str) -> Json:
    """GET with a token; one that is refused is exchanged once.

    Raises:
        SourceError: as `Context.get_json` does.
    """
    query = {"signal_type": SIGNAL, **params}
    token, is_new = await _token(context, options, anew=False)
    try:
        return await context.get_json(path, params=query, headers={"Authorization": f"Bearer {token}"})
    except SourceUnauthorized:
        if is_new:
            raise
    token, _ = await _token(context, options, anew=True)
    return await context.get_json(path, params=query, headers={"Authorization": f"Bearer {token}"})


async def _token(context: Context, options: Options, *, anew: bool) -> tuple[str, bool]:
    """Return a token, and whether it was got just now."""
    kept = context.memory.get("token")
    if not anew and isinstance(kept, dict) and context.now() - moment(kept.get("at")) < TOKEN_GOOD_FOR:
        return str(kept.get("token")), False
    pair = base64.b64encode(f"{options['username']}:{options['password']}".encode()).decode()
    answer = mapping(await context.get_json("/login", headers={"Authorization": f"Basic {pair}"}), "the answer")
    token = answer.get("token")
    if not isinstance(token, str) or not token:
        raise SourceBadAnswer("WattTime gave no token")
    context.memory["token"] = {"token": token, "at": context.now().isoformat()}
    return token, True
