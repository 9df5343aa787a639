"""What the code of an answer of Aliyun's SMS service means (help.aliyun.com/document_detail/101346).

Whatever is not "OK" was refused: nothing was sent and nothing is paid, so trying again is safe.
"""

from __future__ import annotations

from collections.abc import Mapping

from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
)

OK = "OK"

PAUSES_S: Mapping[str, float] = {
    # limits of the account, so of the whole channel; they end at midnight and at the month's end
    "isv.DAY_LIMIT_CONTROL": 3600.0,
    "isv.MONTH_LIMIT_CONTROL": 6 * 3600.0,
    "Throttling": 60.0,
    "Throttling.Api": 60.0,
    "Throttling.User": 60.0,
}
CONFIGURATION = frozenset(
    {
        "isv.SMS_SIGNATURE_ILLEGAL",
        "isv.SMS_SIGN_ILLEGAL",
        "isv.SIGN_NAME_ILLEGAL",
        "isv.SIGN_STATE_ILLEGAL",
        "isv.SMS_SIGNATURE_SCENE_ILLEGAL",
        "isv.SMS_TEMPLATE_ILLEGAL",
        "isv.SMS_CONTENT_ILLEGAL",
        "isp.RAM_PERMISSION_DENY",
        "isv.RAM_PERMISSION_DENY",
        "isv.OUT_OF_SERVICE",
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.DENY_IP_RANGE",
        "isv.PRODUCT_UN_SUBSCRIPT",
        "isv.PRODUCT_UNSUBSCRIBE",
        "isv.ACCOUNT_NOT_EXISTS",
        "isv.ACCOUNT_ABNORMAL",
        "InvalidAccessKeyId",
        "InvalidAccessKeyId.NotFound",
        "InvalidAccessKeyId.Inactive",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "InvalidTimeStamp.Expired",
        "Forbidden.RAM",
        "NoPermission",
    }
)
PERMANENT = frozenset(
    {
        "isv.MOBILE_NUMBER_ILLEGAL",
        "isv.MOBILE_COUNT_OVER_LIMIT",
        "isv.TEMPLATE_MISSING_PARAMETERS",
        "isv.TEMPLATE_PARAMS_ILLEGAL",
        "isv.INVALID_PARAMETERS",
        "isv.INVALID_JSON_PARAM",
        "isv.PARAM_LENGTH_LIMIT",
        "isv.PARAM_NOT_SUPPORT_URL",
        "isv.BLACK_KEY_CONTROL_LIMIT",
    }
)


def error_for(code: str, said: str, answer: str) -> DeliveryError:
    """The error that `code` (not OK) stands for; what is in no table may pass.

    So may isv.BUSINESS_LIMIT_CONTROL: it counts the messages to one number, and must not stop those to others.
    """
    text = f"Aliyun refused: {code}: {said}"
    if code in PAUSES_S:
        return ThrottledError(text, retry_after_s=PAUSES_S[code], code=code, answer=answer)
    kind: type[DeliveryError] = DeliveryError
    if code in CONFIGURATION:
        kind = ConfigurationError
    elif code in PERMANENT:
        kind = PermanentError
    return kind(text, code=code, answer=answer)
