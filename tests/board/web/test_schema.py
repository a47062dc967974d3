"""Schemathesis asks the API everything that its description allows, and more: never a 5xx."""

from __future__ import annotations

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis.errors import Unsatisfiable  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from surefoot.board.seed import fill  # noqa: E402
from surefoot.board.store.store import Store  # noqa: E402
from surefoot.board.web.app import create_app  # noqa: E402

from .conftest import MANY  # noqa: E402


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    path = tmp_path_factory.mktemp("schema") / "board.db"
    with Store.open(path, create=True) as store:
        fill(store)
    app = create_app(path, limits=MANY, hosts=None)
    return schemathesis.openapi.from_asgi("/api/openapi.json", app)


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance,
          response_schema_conformance]  # fmt: skip
ASKED = settings(max_examples=8, deadline=None, phases=[Phase.generate], derandomize=True,
                 suppress_health_check=list(HealthCheck), database=None)  # fmt: skip


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_breaks_the_server(api, mode):
    seen = 0
    for found in api.get_all_operations():
        operation = found.ok()

        @ASKED
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case):
            case.call_and_validate(checks=CHECKS)

        try:
            ask()
        except Unsatisfiable:
            continue  # nothing to get wrong
        seen += 1
    assert seen >= (15 if mode is GenerationMode.POSITIVE else 8)
