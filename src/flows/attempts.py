"""One attempt to run a business function: what it returns or raises becomes an outcome.

Needs no database, so that evals run functions by the same rules as the product.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from agent.turn import CallResult
from domain.text import storable_json
from tools.declaration import BusinessError, BusinessFunction, CallFailedError, NoEffectError, ToolContext

log = logging.getLogger(__name__)


async def attempt(function: BusinessFunction, context: ToolContext, arguments: Mapping[str, Any]) -> CallResult:
    """Run ``function`` within its time; see CallResult for the outcomes. Never raises for what the function does."""
    try:
        async with asyncio.timeout(function.timeout_seconds):
            value = await function.call(context, **arguments)
    except BusinessError as error:
        return CallResult("business_error", storable_json(error.data), error.code)
    except NoEffectError as error:
        log.warning("business function %s failed without effect: %s", function.name, error)
        return CallResult("failed", error_code="no_effect")
    except CallFailedError as error:
        log.warning("business function %s failed: %s", function.name, error)
        return CallResult("failed" if function.effect == "read" else "unknown", error_code=error.code)
    except Exception as error:  # a function's own bug must not end the turn
        log.exception("business function %s failed", function.name)
        outcome = "failed" if function.effect == "read" else "unknown"
        return CallResult(outcome, error_code=type(error).__name__)  # type: ignore[arg-type]
    return CallResult("succeeded", storable_json(value))
