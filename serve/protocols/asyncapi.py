"""The native protocol as an AsyncAPI 3 document, its schemas generated from the message types."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from serve.protocols import wire

_SCHEMA = "#/components/schemas/{name}"
_PUBLISHED = {
    "TranscriptMessage": "Transcript",
    "LanguageMessage": "Language",
    "EndpointMessage": "Endpoint",
    "StartMessage": "Start",
    "ServerLimits": "Limits",
    "ScoreFigures": "Figures",
    "ReferenceCoverage": "Covered",
}
"""Published schema names that differ from class names; clients generate code from them."""


def document(version: str) -> dict[str, Any]:
    """Build the document that is served at `/asyncapi.json`."""
    components = schemas()
    client = [published_name(kind) for kind in wire.ClientMessage.__args__]
    server = [published_name(kind) for kind in wire.ServerMessage.__args__]
    messages: dict[str, Any] = {
        name: {
            "name": components[name]["properties"]["type"]["enum"][0],
            "summary": components[name].get("description", ""),
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{name}"},
        }
        for name in (*client, *server)
    }
    messages["Audio"] = {
        "name": "audio",
        "summary": "Audio in the encoding of `start`; a message of no bytes is `stop`.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "speech",
            "version": version,
            "description": (__doc__ or "").strip(),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": "/v1/stream",
                "description": f"Websocket, subprotocol {wire.SUBPROTOCOL}.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "say": _operation("receive", "What a client says.", [*client, "Audio"]),
            "hear": _operation("send", "What the server says.", server),
        },
        "components": {"messages": messages, "schemas": components},
    }


def _operation(action: str, summary: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{name}"} for name in names],
    }


def schemas() -> dict[str, Any]:
    """JSON schemas of all messages and their parts, by published name."""
    kinds = [*wire.ClientMessage.__args__, *wire.ServerMessage.__args__]
    found = msgspec.json.schema_components(kinds, ref_template=_SCHEMA)[1]
    return {_PUBLISHED.get(name, name): _with_published_names(schema) for name, schema in found.items()}


def _with_published_names(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _published_text(key, value) for key, value in schema.items()}
    return [_with_published_names(item) for item in schema] if isinstance(schema, list) else schema


def _published_text(key: str, value: Any) -> Any:
    if key == "$ref":
        name = value.rpartition("/")[2]
        return _SCHEMA.format(name=_PUBLISHED.get(name, name))
    return _PUBLISHED.get(value, value) if key == "title" and isinstance(value, str) else _with_published_names(value)


def published_name(kind: type[Struct]) -> str:
    """Name of a message type, or of a part, in the published schemas."""
    return _PUBLISHED.get(kind.__name__, kind.__name__)
