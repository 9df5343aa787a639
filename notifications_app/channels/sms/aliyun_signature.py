"""Aliyun's signature V3, ACS3-HMAC-SHA256 (help.aliyun.com, "V3 request structure and signature").

The secret itself is the key of the HMAC. Parameters of RPC calls stand in the query, the path is "/", the body empty.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"
EMPTY_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A POST to be signed. `at` is in UTC; Aliyun takes it within 15 minutes. `nonce` is used once."""

    host: str
    action: str
    version: str
    query: Mapping[str, str]
    at: datetime
    nonce: str


def headers_for(request: Request, key_id: str, key_secret: str) -> dict[str, str]:
    """All headers of the signed request."""
    headers = {
        "host": request.host,
        "x-acs-action": request.action,
        "x-acs-content-sha256": EMPTY_BODY,
        "x-acs-date": f"{request.at:%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": request.nonce,
        "x-acs-version": request.version,
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join(("POST", "/", canonical_query(request.query), lines, names, EMPTY_BODY))
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    value = f"{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}"
    return {**headers, "Authorization": value}


def canonical_query(query: Mapping[str, str]) -> str:
    """Sorted by name, percent-encoded as RFC 3986 says."""
    return "&".join(f"{_encoded(name)}={_encoded(query[name])}" for name in sorted(query))


def _encoded(text: str) -> str:
    return quote(text, safe="~")
