#!/usr/bin/env python3
"""Name the AWS operation behind each request that moto recorded.

Usage:
    curl -s http://127.0.0.1:5000/moto-api/recorder/download-recording | python recorded.py

Reads the recording, one JSON object a line, and prints one a line: the service and operation as botocore
names them, and the account and region the request was signed for. Every operation a service has is told
apart, writes too. A request that none of them explains has its method and path for an operation.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.session import Session

MANAGEMENT_ID = "123456789012"  # moto's account for any access key it does not know

# Services by signing name, where that is not the service's own name.
SIGNED_AS = {"bedrock": ("bedrock", "bedrock-agent"), "monitoring": ("cloudwatch",)}

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
ACCOUNT_OFFSET = 1 << 39


@dataclass(frozen=True)
class Route:
    """The requests that a REST operation answers."""

    service: str
    operation: str
    method: str
    path: re.Pattern[str]
    query: frozenset[tuple[str, str]]
    literal_length: int

    @property
    def specificity(self) -> tuple[int, int]:
        return len(self.query), self.literal_length


@functools.cache
def routes(signing_name: str) -> list[Route]:
    """Return the routes of all services that sign so, most specific first."""
    found = []
    for service in SIGNED_AS.get(signing_name, (signing_name,)):
        model = Session().get_service_model(service)
        for name in model.operation_names:
            if model.operation_model(name).deprecated:
                continue
            http = model.operation_model(name).http
            path, _, query = http["requestUri"].partition("?")
            segments = re.split(r"(\{\w+\+?\})", path.rstrip("/"))
            pattern = "".join(
                re.escape(part) if not part.startswith("{") else ".+" if part.endswith("+}") else "[^/]+"
                for part in segments
            )
            literal_length = sum(len(part) for part in segments if not part.startswith("{"))
            keys = frozenset(parse_qsl(query, keep_blank_values=True))
            found.append(Route(service, name, http["method"], re.compile(f"{pattern}/?"), keys, literal_length))
    return sorted(found, key=lambda route: route.specificity, reverse=True)


def rest_operation(signing_name: str, method: str, path: str, query: str) -> tuple[str, str]:
    present = frozenset(parse_qsl(query, keep_blank_values=True))
    for route in routes(signing_name):
        if route.method == method and route.query <= present and route.path.fullmatch(path):
            return route.service, route.operation
    return signing_name, f"{method} {path}"


def operation(entry: dict[str, Any], signing_name: str) -> tuple[str, str]:
    """Return the service and the name of the operation a request asks for."""
    headers = {name.lower(): value for name, value in entry["headers"].items()}
    url = urlsplit(entry["url"])
    service = SIGNED_AS.get(signing_name, (signing_name,))[0]
    if "x-amz-target" in headers:
        return service, headers["x-amz-target"].rpartition(".")[2]
    if rpc := re.fullmatch(r"/service/[^/]+/operation/([^/]+)", url.path):
        return service, rpc[1]
    body = entry["body"] or ""
    if entry["body_encoded"]:
        body = base64.b64decode(body).decode(errors="replace")
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(body))
        if "Action" in form:
            return service, form["Action"]
    return rest_operation(signing_name, entry["method"], url.path, url.query)


def account_of(access_key_id: str) -> str:
    """Return the account that an access key id has encoded, as AWS's and moto's have."""
    encoded, parity = access_key_id[4:12], access_key_id[12:13]
    if not re.fullmatch("(AKIA|ASIA)[A-Z2-7]{16}", access_key_id):
        return MANAGEMENT_ID
    half = int.from_bytes(base64.b32decode(encoded), "big") - ACCOUNT_OFFSET
    return f"{half * 2 + (ALPHABET.index(parity) >= len(ALPHABET) // 2):012}"


def calls(recording: Iterator[str]) -> Iterator[dict[str, str]]:
    for line in filter(str.strip, recording):
        entry = json.loads(line)
        authorization = entry["headers"].get("Authorization", "")
        scope = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", authorization)
        key, region, signing_name = scope.groups() if scope else ("", "", "")
        service, name = (
            operation(entry, signing_name)
            if scope
            else ("unsigned", f"{entry['method']} {urlsplit(entry['url']).path}")
        )
        yield {"service": service, "operation": name, "account": account_of(key), "region": region}


if __name__ == "__main__":
    for call in calls(sys.stdin):
        print(json.dumps(call))
