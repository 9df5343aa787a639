"""The signature of Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec, "Signature scheme")."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

PREFIX = "whsec_"
LEAST_BYTES = 24


def secrets_in(text: str) -> list[str]:
    """The secrets of an option: one, or the new and the old one while receivers change over, with a blank between."""
    return text.split()


def is_secret(text: str) -> bool:
    """Whether `text` is `whsec_` and the base64 of enough bytes."""
    try:
        return text.startswith(PREFIX) and len(_key(text)) >= LEAST_BYTES
    except (binascii.Error, ValueError):
        return False


def of_person(secret: str, url: str) -> str:
    """The secret of one person's own URL: whoever has it can neither read nor forge what goes to others."""
    digest = hmac.digest(_key(secret), f"vigil webhook {url}".encode(), hashlib.sha256)
    return PREFIX + base64.b64encode(digest).decode()


def headers_for(body: bytes, message_id: str, secrets: Sequence[str]) -> dict[str, str]:
    """The headers that sign exactly `body`, once with each secret, as of now."""
    from standardwebhooks.webhooks import Webhook

    now = datetime.now(UTC)
    signatures = [Webhook(one).sign(message_id, now, body.decode()) for one in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
