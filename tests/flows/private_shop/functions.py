"""A function that finds customers by their CPF, in the one spelling that its system takes."""

from __future__ import annotations

from typing import Any

from tools.declaration import Parameter, ParameterKind, ToolContext, business_function

CPF = Parameter("cpf", ParameterKind.TEXT, "the customer's CPF, 11 digits", pattern=r"\d{11}")


@business_function(effect="read", parameters=[CPF])
async def find_customer(_: ToolContext, cpf: str) -> dict[str, Any]:
    """Find a customer by CPF."""
    return {"number": cpf, "email": "ana.lima@example.com", "orders": 2}
