"""A plugin of runtime 1.1.0: the offline model learns to calculate."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

NAME = "calculator"
QUESTION = re.compile(r"what is ([0-9+*/(). -]{3,60})\?", re.IGNORECASE)
OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculate(node: ast.expr) -> float:
    """Return the value of an expression of numbers and the four operations."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.BinOp() if type(node.op) in OPERATIONS:
            return OPERATIONS[type(node.op)](calculate(node.left), calculate(node.right))
        case ast.UnaryOp(op=ast.USub()):
            return -calculate(node.operand)
    raise ValueError("not a sum")


def answer(message: str) -> str:
    """Answer a question for the value of an expression."""
    found = QUESTION.search(message)
    if found is None:
        return "Ask me what is 6 * 7?"
    expression = found[1].strip()
    try:
        return f"{expression} = {calculate(ast.parse(expression, mode='eval').body):g}"
    except (SyntaxError, ValueError, ZeroDivisionError):
        return f"I cannot calculate {expression}."


def register(registry: Any) -> None:
    """Add the skill."""
    registry.add_skill(
        description="calculates, e.g. what is 6 * 7?",
        matches=lambda message: QUESTION.search(message) is not None,
        answer=answer,
    )
