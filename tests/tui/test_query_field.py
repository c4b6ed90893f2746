"""The field of the query helps while one types, on any store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from logship_tui.app import LogshipApp
from tests.contract.stores import EVERY_STORE, Place, empty_place, fill
from tests.tui.test_searching import SIZE, record, settled

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=EVERY_STORE)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> LogshipApp:
    place: Place = empty_place(request.param, request, tmp_path)
    made = [record(number, f"event {number}", service="inventory") for number in range(3)]
    return LogshipApp(fill(place, made), location="here")


async def test_fields_and_values_of_the_store_are_offered(app: LogshipApp) -> None:
    """What may follow stands behind the cursor, and the right arrow takes it."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("slash", *"ser")
        offered = await settled(app, pilot, lambda text: "service:" in text)
        await pilot.press("right", *"in")
        value = await settled(app, pilot, lambda text: "service:inventory" in text)
        await pilot.press("right")
        found = await settled(app, pilot, lambda text: "1 condition · 3 of 3 records" in text)

    assert "service:" in offered
    assert "service:inventory" in value
    assert "1 condition · 3 of 3 records" in found


async def test_stages_are_pointed_at(app: LogshipApp) -> None:
    """A list cannot show a table; the line under the query says where to run it."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("slash", *"event | stats count()")
        said = await settled(app, pilot, lambda text: "logship search" in text)

    assert "stages make tables" in said
