"""The server in replicas of Ray Serve.

    pip install 'ray[serve]' '.[serve]'
    cd deploy && SPEECH_API_KEYS=one,two serve run ray_serve:app  # then ws://127.0.0.1:8000/v1/stream

Settings are `SPEECH_...` variables. What does not come along, docs/deployment.md says.
"""

from __future__ import annotations

import os

from fastapi import FastAPI
from ray import serve

from serve.app import build
from serve.config import load

REPLICAS = 2
SETTINGS = {name: value for name, value in os.environ.items() if name.startswith("SPEECH_")}
CONFIG = load({"readers": 1}, environment=SETTINGS)


def application() -> FastAPI:
    """Made in each replica: a model is not sent around."""
    return build(load({"readers": 1}, environment=SETTINGS))


speech = serve.deployment(
    serve.ingress(application)(),
    name="speech",
    num_replicas=REPLICAS,
    # Each open websocket is an ongoing request. Ray's usual limit is 5; the server refuses by itself, and says why.
    max_ongoing_requests=4 * CONFIG.max_sessions,
    graceful_shutdown_timeout_s=CONFIG.drain_s,
    ray_actor_options={"num_cpus": 1},
)
app = speech.bind()
