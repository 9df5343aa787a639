"""The table of what replies of mail servers mean: whose fault a refusal is (pure).

Postfix and others delay what they have against the client or the sender to the reply to RCPT, so the command that was
refused does not say whose fault it is. The texts do. Each rule is a pattern for the whole reply, `554 5.7.1 ...`.

Sources, by the names in the comments below:
[5321], [3463], [4954]: RFC 5321 (4.2), RFC 3463 (and its IANA registry), RFC 4954 (6)
[postfix]: postfix.org/postconf.5.html, the restrictions `reject_*` and `smtpd_delay_reject`
[m365]: learn.microsoft.com/exchange, "Email non-delivery reports and SMTP errors in Exchange Online"
[google]: support.google.com/a/answer/3726730, "Gmail SMTP errors and codes"
[163]: help.mail.163.com, the list of codes such as MI:SFQ
[qq]: service.mail.qq.com, "SMTP replies"; [aliyun]: help.aliyun.com, Direct Mail, "SMTP errors"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    CHANNEL = "the gateway refuses the channel itself"
    POLICY = "the gateway refuses this message from us, and may take others"
    RECIPIENT = "this message will never reach this recipient"
    THROTTLE = "the gateway asks for a pause"
    TRANSIENT = "later it may go"


class Stage(Enum):
    """The part of the dialogue that the server refused."""

    GREETING = "the connection"
    LOGIN = "the login"
    SENDER = "the sender"
    RECIPIENT = "the recipient"
    MESSAGE = "the message"


@dataclass(frozen=True, slots=True)
class Rule:
    fault: Fault
    pattern: re.Pattern[str]
    pause_s: float = 0.0


def _rules(fault: Fault, *patterns: str, pause_s: float = 0.0) -> list[Rule]:
    return [Rule(fault, re.compile(one, re.IGNORECASE), pause_s) for one in patterns]


RULES: tuple[Rule, ...] = (
    # limits; some providers use the code of something else, so the words decide
    *_rules(
        Fault.THROTTLE,
        r"daily (user )?(sending|user|message) (quota|limit)|daily limit",  # [aliyun], [google] 5.4.5
        r"\b5\.1\.90\b|\b5\.7\.(705|232|233)\b|submission quota",  # [m365]
        r"\b(MI:STC|RP:TRC)\b",  # [163]: the limit of a day
        pause_s=3600.0,
    ),
    *_rules(Fault.THROTTLE, r"\b(MI:SFQ|HL:IFC|RP:QRC)\b", pause_s=900.0),  # [163]: 15 minutes
    *_rules(
        Fault.THROTTLE,
        r"\b(HL:ICC|MI:DMC)\b",  # [163]: connections at once, messages of a connection
        r"^432 4\.3\.2|concurrent connections",  # [m365]
        pause_s=60.0,
    ),
    *_rules(
        Fault.THROTTLE,
        r"frequency limited|connection denied|mailbox unavailable or access denied",  # [qq]
        r"too frequent|too many (connections|messages|mails|emails|login)",  # [qq], [aliyun]
        r"rate[ -]?limit|rate exceeded|throttl",
        r"^421 4\.7\.",  # [google] 4.7.0, 4.7.28
        pause_s=300.0,
    ),
    # what passes by itself, although the words are those of a refusal
    *_rules(
        Fault.TRANSIENT, r"^4.*(gr[ae]y-?list|verification in progress)"
    ),  # [postfix] 450 4.7.1
    # against the sender, this host or the account, at whatever command
    *_rules(
        Fault.CHANNEL,
        r"^(436|530|534|535|538) ",  # [4954]; 436: [aliyun], the sender is not the account
        r"^432 4\.7\.12\b|\b5\.7\.(8|9|10|11)\b",  # [4954], [3463]
        r"(helo|ehlo) (command|host)?\W*(rejected|invalid)|client host rejected",  # [postfix]
        r"sender (address )?(is )?(rejected|denied|verify failed)",  # [postfix], Exim
        r"auth(entication|orization)? (is )?required|not authenticated|authenticate first",
        r"too much fail auth|auth error limit|authentication (failed|unsuccessful)",  # [163], [m365]
        r"must (equal|be (the )?same as) auth|not owned by|sendasdenied|sender is not the account",
        r"not (authori[sz]ed|allowed|permitted) to send|permissions? to send as",  # [postfix], [m365]
        r"\b5\.7\.(2[3-9]|30|57|60|64|68|139|50[1-9]|51[15]|6[0-4]\d|708|750)\b",  # [m365], [google]
        r"\bHL:(REP|MEP|IHU|IPB)\b|\bWM:BL[IU]\b|\bDT:(RBL|SUM)\b|\bRP:FRL\b",  # [163]
        r"\bMI:(SPB|SPF|DMA|IMF|NHD)\b|local user only",  # [163]
        r"black ?list|block ?list|blocked using|spamhaus|\bbanned\b|ip is rejected",
        r"^5\d\d 5\.1\.[78]\b|^5\d\d 5\.3\.5\b|^5\d\d 5\.5\.[124]\b",  # [3463]: sender, set-up, protocol
    ),
    # this recipient's server or domain is not served for us, or the text is taken for spam: others may go
    *_rules(
        Fault.POLICY,
        r"relay(ing)?( access)? (is )?(denied|not permitted|not allowed|prohibited)",  # [postfix], Exim
        r"(unable|not permitted|not allowed) to relay|do(es)? not relay|rcpthosts|\b5\.7\.54\b",
        r"\bDT:SPM\b|\bspam\b|unsolicited",  # [163], [google]
    ),
    # the recipient's own
    *_rules(
        Fault.TRANSIENT, r"^5\d\d 5\.2\.2\b|^5\d\d 5\.4\.4\b"
    ),  # a full mailbox, no route for now
    *_rules(
        Fault.RECIPIENT,
        r"^5.*recipient address rejected",  # [postfix], [m365] 5.4.1
        r"^5\d\d 5\.(1\.\d+|2\.\d|3\.4|4\.1|6\.\d+)\b",  # [3463]: address, mailbox, size, content
    ),
    *_rules(Fault.POLICY, r"^5\d\d 5\.7\."),  # [3463]: 5.7.1, "the sender is not authorised"
)

_OF_COMMANDS = frozenset({500, 502, 503, 504, 555})
"""Refusals of the command itself [5321, 4.2.2]: what Vigil said was wrong, not whom it named."""
_ADDRESS = re.compile(r"<[^<>]*>")
_OF_A_RECIPIENT = re.compile(
    r"\b(users?|mailbox|recipients?|(?<!your )account|alias)\b|no such|unknown|"
    r"(destination|e-?mail|this|invalid|bad) address|用户|邮箱|收件人",
    re.IGNORECASE,
)
_AFTER_MAIL = (Stage.RECIPIENT, Stage.MESSAGE)


def fault_in(stage: Stage, code: int, said: str) -> tuple[Fault, float]:
    """Whose fault a refusal is, by the first rule that fits; and the pause in seconds of a throttle."""
    reply = f"{code} {_ADDRESS.sub('<>', said)}"  # an address may be spelt like one of the words
    rule = next((rule for rule in RULES if rule.pattern.search(reply)), None)
    fault = rule.fault if rule else _usual(code, reply)
    if fault in (Fault.POLICY, Fault.RECIPIENT) and stage not in _AFTER_MAIL:
        fault = Fault.CHANNEL  # no recipient was named, and no text was sent
    return fault, rule.pause_s if rule else 0.0


def _usual(code: int, reply: str) -> Fault:
    """What `code` means where no rule fits. A text that names no recipient charges none."""
    if code < 500:
        return Fault.TRANSIENT
    if code in _OF_COMMANDS:
        return Fault.CHANNEL
    return Fault.RECIPIENT if _OF_A_RECIPIENT.search(reply) else Fault.POLICY
