"""The built-in rules, one entry each. Those whose secret shows itself come first: they name what they find best."""

from __future__ import annotations

from typing import Final, Protocol

from logship.secrets import headers, keys, shown
from logship.secrets.patterns import Span  # noqa: TC001 - a public protocol's types are resolved by its readers


class Rule(Protocol):
    """One kind of secret. Spans may overlap those of other rules, and say nothing about what the text means."""

    @property
    def name(self) -> str:
        """Stands in the text instead of the secret."""
        ...

    @property
    def anchor(self) -> str:
        """RE2 that stands in every line that has such a secret, and in few others; "" where there is none."""
        ...

    def find(self, data: bytes) -> list[Span]:
        """Where such secrets stand in the UTF-8 of a text, in order, in time linear in its length."""
        ...


BUILT_IN: Final[tuple[Rule, ...]] = (*shown.RULES, *headers.RULES, *keys.RULES)
"""Every built-in rule, in order of precedence: the first names what several find."""
