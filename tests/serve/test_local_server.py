"""A server in this process."""

import httpx
import pytest

from serve.config import ServeConfig
from serve.local_server import local_server
from speech.errors import ModelError


def test_it_serves_during_the_block_only():
    with local_server(ServeConfig(port=0)) as address:
        assert httpx.get(f"{address}/health/live").json() == {"status": "ok"}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health/live")


def test_a_model_that_is_not_there_is_an_error_here(tmp_path):
    with pytest.raises(ModelError), local_server(ServeConfig(port=0, model=str(tmp_path / "none"))):
        pass
