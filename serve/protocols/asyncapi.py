"""The native protocol as an AsyncAPI 3 document, its schemas generated from the message types."""

from __future__ import annotations

from typing import Any

from serve.protocols import wire


def document(version: str) -> dict[str, Any]:
    """The document; served at `/asyncapi.json`."""
    components = wire.schemas()
    client = [kind.__name__ for kind in wire.ClientMessage.__args__]
    server = [kind.__name__ for kind in wire.ServerMessage.__args__]
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
