"""Plain smtplib: `... mail_peer PORT CONNECTIONS COUNT FILE`, where FILE has the messages as JSON, used in turns.

Each thread keeps its connection and makes Django's EmailMultiAlternatives for each message. Says how long all took.
"""

from __future__ import annotations

import json
import smtplib
import sys
import threading
import time
from pathlib import Path
from typing import Any

import django

django.setup()

from django.core.mail import EmailMultiAlternatives  # noqa: E402

SENDER = "vigil@example.com"


def main(port: int, connections: int, count: int, messages: list[dict[str, Any]]) -> None:
    begin = threading.Barrier(connections + 1)

    def send(first: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as smtp:
            begin.wait()
            for number in range(first, count, connections):
                one = messages[number % len(messages)]
                text = built(one, number).message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
                smtp.sendmail(SENDER, [one["to"]], text)

    threads = [threading.Thread(target=send, args=(first,)) for first in range(connections)]
    for thread in threads:
        thread.start()
    begin.wait()
    began_s = time.monotonic()
    for thread in threads:
        thread.join()
    sys.stdout.write(f"{time.monotonic() - began_s}\n")


def built(one: dict[str, Any], number: int) -> EmailMultiAlternatives:
    headers = {**one["headers"], "Message-ID": f"<peer.{number}@example.com>"}
    mail = EmailMultiAlternatives(
        one["subject"], one["text"], f"Vigil <{SENDER}>", [one["to"]], headers=headers
    )
    mail.attach_alternative(one["html"], "text/html")
    return mail


if __name__ == "__main__":
    port, connections, count, file = sys.argv[1:]
    main(int(port), int(connections), int(count), json.loads(Path(file).read_text()))
