"""Judge of code-switched sentences that asks a language model, through any OpenAI-compatible chat completions API."""

from __future__ import annotations

import http.client
import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from speech.data.code_switching.judges import WEIGHTS, Fault, Judgement, RuleJudge
from speech.data.code_switching.mixture import Mixture
from speech.errors import ConfigError, SpeechError
from speech.text.languages import LANGUAGES

_TRIES = 3
_WAIT_S = 2.0
_TIMEOUT_S = 60.0
"""Timeout of one request."""
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_TASK = """You rate one code-switched sentence as a bilingual speaker of {one} and {other} would.
Answer with one JSON object and nothing else:
{{"fluency": 0-10, "naturalness": 0-10, "share": 0-10, "culture": 0-10, "worst_part": number, "why": "few words"}}
fluency: each switch stands where both grammars allow it, nothing is missing or said twice.
naturalness: a bilingual could say it, with as many switches and in these places.
share: about {share:.0%} of the words are in the language that has fewer words.
culture: names, numbers and politeness are as speakers of both languages have them.
worst_part: the part, counted from 0, that should change first.

Parts: {parts}"""


class LlmJudge:
    """Combines rules with a language model's scores: a rejection wins, then the lower total.

    Args:
        url: base URL of the API, such as `http://localhost:8000/v1`.
        model: name of the model in the API.
        rules: rule-based judge, which is asked first.
        key: sent as bearer token, if any.

    Raises:
        ConfigError: if the URL is not http or https.
    """

    def __init__(self, url: str, model: str, rules: RuleJudge, *, key: str = "") -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{url!r} is no URL of an API", fix="Give one such as http://localhost:8000/v1.")
        self._url, self._model, self._rules = url.rstrip("/") + "/chat/completions", model, rules
        self._headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}

    def judge(self, mixture: Mixture, target_share: float) -> Judgement:
        """Return the rules' judgement if they reject the sentence, otherwise the stricter of rules and model.

        Raises:
            SpeechError: if the endpoint does not answer, or its answer contains no valid scores.
        """
        ruled = self._rules.judge(mixture, target_share)
        if not ruled.accepted:
            return ruled
        asked = self._asked(mixture, target_share)
        return min(ruled, asked, key=lambda verdict: (verdict.accepted, verdict.total))

    def _asked(self, mixture: Mixture, target_share: float) -> Judgement:
        answer = self._post(self._body(mixture, target_share))
        try:
            found = json.loads(_object(answer["choices"][0]["message"]["content"]))
            scores = {aspect: min(max(_finite(found[aspect]), 0.0), 10.0) for aspect in WEIGHTS}
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise SpeechError(
                f"no scores in the answer: {error!r}", where=self._url, fix="Try another model."
            ) from error
        worst = min(scores, key=lambda aspect: scores[aspect])
        part = found.get("worst_part")
        part = part if isinstance(part, int) and 0 <= part < len(mixture.parts) else 0
        return Judgement(scores, (Fault(part, f"{worst}: {found.get('why', '')}", 10.0 - scores[worst]),))

    def _body(self, mixture: Mixture, target_share: float) -> dict[str, Any]:
        both = mixture.parallel
        one, other = (LANGUAGES[code].name for code in both.languages)
        parts = [
            {
                "language": LANGUAGES[both.languages[p.side]].name,
                "words": " ".join(both.words[p.side][p.first : p.last]),
            }
            for p in mixture.parts
        ]
        task = _TASK.format(one=one, other=other, share=target_share, parts=json.dumps(parts, ensure_ascii=False))
        return {"model": self._model, "temperature": 0, "messages": [{"role": "user", "content": task}]}

    def _post(self, body: Mapping[str, Any]) -> Any:
        request = urllib.request.Request(self._url, json.dumps(body).encode(), dict(self._headers), method="POST")
        fault = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_WAIT_S * attempt)
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:
                    return json.load(reply)
            except urllib.error.HTTPError as error:
                with error:
                    fault = f"answers {error.code}: {error.read(300).decode('utf-8', 'replace')}"
                if error.code not in _AGAIN:
                    break
            except (OSError, http.client.HTTPException, ValueError) as error:
                fault = f"does not answer: {error}"
        raise SpeechError(fault, where=self._url, fix="Check address, model and key.")


def _finite(value: Any) -> float:
    if not math.isfinite(number := float(value)):
        raise ValueError(f"{value} is no score")
    return number


def _object(text: str) -> str:
    """Extract the JSON object from a model's answer, which may contain a code fence or other text."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text
