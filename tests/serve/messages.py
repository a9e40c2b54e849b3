"""Random messages of clients: valid by the protocol's schemas, nearly valid, and garbage."""

import copy
import json
import struct
from random import Random
from typing import Any

from serve.protocols import wire
from serve.protocols.asyncapi import document, published_name

_CLIENT = [published_name(kind) for kind in wire.ClientMessage.__args__]
_SCHEMAS = document("1")["components"]["schemas"]
_ODD = [None, True, -1, 0, 2**63, 1e400, float("nan"), "", "\0", "ключ", "x" * 100, [], {}, [[]], {"type": "stop"}]
_KNOWN = ["eng", "deu", "spa", "en", "German"]
_FRAMES = {"pcm_s16le": 2, "pcm_f32le": 4, "mulaw": 1, "alaw": 1}


def value(schema: dict[str, Any], rng: Random) -> Any:
    """Anything that a JSON schema allows."""
    if "$ref" in schema:
        return value(_SCHEMAS[schema["$ref"].rsplit("/", 1)[-1]], rng)
    if "anyOf" in schema:
        return value(rng.choice(schema["anyOf"]), rng)
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, rng)
    if kind == "array":
        return [value(schema["items"], rng) for _ in range(rng.randrange(3))]
    if kind == "integer":
        return rng.randint(schema.get("minimum", 0), schema.get("maximum", 100_000))
    if kind == "string":
        return "".join(rng.choice('aä字\n"') for _ in range(rng.randrange(min(schema.get("maxLength", 8), 8) + 1)))
    if kind == "number":
        return rng.uniform(schema.get("minimum", 0.0), schema.get("maximum", 1.0))
    return {"boolean": rng.random() < 0.5, "null": None, None: 1}[kind]


def _object(schema: dict[str, Any], rng: Random) -> dict[str, Any]:
    required = schema.get("required", [])
    known = {
        name: value(part, rng)
        for name, part in schema.get("properties", {}).items()
        if name in required or rng.random() < 0.4
    }
    if isinstance(schema.get("additionalProperties"), dict) and rng.random() < 0.3:
        known["note"] = value(schema["additionalProperties"], rng)
    return known


def valid(rng: Random, name: str | None = None) -> dict[str, Any]:
    """A message of the schemas; mostly of a kind that lets a session go on, with languages that there are."""
    often = rng.choices(_CLIENT, [1, 4, 4, 4, 1, 0.3, 2, *[0.3] * (len(_CLIENT) - 7)])[0]
    message = value(_SCHEMAS[name or often], rng)
    if rng.random() < 0.9:
        message.pop("model", None)
        if message["type"] == "start":
            message.pop("dialogue", None)
        message.pop("interpret", None)
        for key in ("languages", "targets"):
            if key in message:
                message[key] = rng.sample(_KNOWN if key == "languages" else ["eng"], rng.randrange(2))
    return message


def mutated(rng: Random) -> str:
    """A message with something wrong, or not: as JSON, perhaps damaged."""
    message = valid(rng)
    for _ in range(rng.randrange(1, 3)):
        place = message
        while (inner := [v for v in place.values() if isinstance(v, dict) and v]) and rng.random() < 0.5:
            place = rng.choice(inner)
        key = rng.choice([*place, "volume"])
        if rng.random() < 0.3:
            place.pop(key, None)
        else:
            place[key] = copy.deepcopy(rng.choice(_ODD))
    text = json.dumps(message, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.3:
        start = rng.randrange(len(text))
        text = text[:start] + rng.choice(["", "{", '"', "\0", "\\ud800", "1e999", "[" * 500]) + text[start + 1 :]
    return text


def garbage(rng: Random) -> str | bytes:
    """Anything at all, in a frame of either kind."""
    data = rng.randbytes(rng.choice([1, 2, 3, 10, 100, 1000]))
    if rng.random() < 0.5:
        return data
    return data.decode("utf-8", "ignore") if rng.random() < 0.5 else data.decode("utf-16-le", "ignore")


def audio(rng: Random, encoding: str, channels: int) -> bytes:
    """Audio of a format, mostly: whole samples, or what a container might begin with."""
    if encoding in _FRAMES:
        count = rng.choice([1, 7, 160, 320]) * channels
        if encoding == "pcm_f32le":
            odd = rng.choice([0.0, 0.0, 0.0, float("nan"), 1e30])
            return struct.pack(f"<{count}f", *[rng.uniform(-1, 1)] * (count - 1), odd)
        return rng.randbytes(_FRAMES[encoding] * count)
    magic = {"ogg_opus": b"OggS\0\2", "webm_opus": b"\x1a\x45\xdf\xa3", "auto": b"RIFF\0\0\0\0WAVEfmt "}
    return (magic.get(encoding, b"\xfc") if rng.random() < 0.5 else b"") + rng.randbytes(rng.randrange(40))


def message(rng: Random, encoding: str, channels: int) -> str | bytes:
    """What a client might say next."""
    kind = rng.random()
    if kind < 0.45:
        return audio(rng, encoding, channels)
    if kind < 0.93:
        return json.dumps(valid(rng))
    if kind < 0.98:
        return mutated(rng)
    return rng.choice([garbage(rng), b"", "", json.dumps("x" * 20_000)])
