"""Our own channels keep the contract that those of others are held to."""

from __future__ import annotations

import pytest

from notifications_app.channels.apprise.channel import AppriseChannel
from notifications_app.channels.email.channel import EmailChannel
from notifications_app.channels.sms.channel import SmsChannel
from notifications_app.channels.system.channel import SystemChannel
from notifications_app.channels.webhook.channel import WebhookChannel
from notifications_app.channels.wechat.channel import WechatChannel
from notifications_app.channels.wechat_app.channel import WechatAppChannel
from notifications_app.testing import ChannelContract
from tests.gateways import WECHAT_KEY, Gateway, WechatWork
from tests.servers import find_free_port

WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class HttpContract(ChannelContract):
    """Of a channel with a gateway over HTTP; `channel_at(url)` makes one."""

    refusal: dict = {"body": "no", "status": 403}

    @pytest.fixture(autouse=True)
    def _gateway(self, gateway, settings):
        self.gateway: Gateway = gateway
        settings.VIGIL_NOTIFICATIONS = {
            "SEND_DEADLINE_S": 2.5,
            "PRIVATE_NETWORKS": ["127.0.0.0/8"],
        }

    def channel_at(self, url: str):
        raise NotImplementedError

    def make(self):
        return self.channel_at(self.gateway.url)

    def make_refused(self):
        self.gateway.answer(**self.refusal)
        return self.make()

    def make_unreachable(self):
        return self.channel_at(f"http://127.0.0.1:{find_free_port()}")

    def make_hanging(self):
        self.gateway.answer(delay_s=30)
        return self.make()


class TestWechat(HttpContract):
    secrets = (WECHAT_KEY,)
    refusal = {"body": {"errcode": 93000, "errmsg": f"no robot {WECHAT_KEY}"}}
    format = "text"

    def channel_at(self, url):
        address = f"{url}/cgi-bin/webhook/send?key={WECHAT_KEY}"
        return WechatChannel({"ENABLED": True, "WEBHOOK_URL": address, "FORMAT": self.format})


class TestWechatMarkdown(TestWechat):
    format = "markdown"


class TestWechatCard(TestWechat):
    format = "card"


class TestWechatApp(HttpContract):
    secrets = (WechatWork.SECRET, "token-number-")

    @pytest.fixture(autouse=True)
    def _wechat_work(self, _gateway):
        self.work = self.gateway.reply = WechatWork()

    def channel_at(self, url):
        options = {"CORP_ID": "ww1", "AGENT_ID": 1000002, "SECRET": WechatWork.SECRET}
        return WechatAppChannel({"ENABLED": True, **options, "API_URL": url})

    def make_refused(self):
        self.work.answer = {"errcode": 60020, "errmsg": f"not allow, {self.work.SECRET}"}
        return self.make()


class TestSms(HttpContract):
    secrets = ("test-key-secret",)
    refusal = {"body": {"Code": "isv.OUT_OF_SERVICE", "Message": "test-key-secret"}}

    def channel_at(self, url):
        keys = {"ACCESS_KEY_ID": "test-key-id", "ACCESS_KEY_SECRET": "test-key-secret"}
        return SmsChannel(
            {"ENABLED": True, **keys, "SIGN_NAME": "守望", "TEMPLATE_CODE": "S1", "ENDPOINT": url}
        )


class TestSmsByHttp(HttpContract):
    secrets = ("Bearer sms-token-1",)
    refusal = {"body": "Bearer sms-token-1 is wrong", "status": 401}

    def channel_at(self, url):
        http = {
            "URL": f"{url}/send",
            "HEADERS": {"Authorization": "Bearer sms-token-1"},
            "JSON": {"to": "${mobile}", "text": "${title} ${text}"},
        }
        return SmsChannel({"ENABLED": True, "GATEWAY": "http", "HTTP": http})


class TestWebhook(HttpContract):
    secrets = (WEBHOOK_SECRET, "path-secret-1")
    refusal = {"body": "no path-secret-1", "status": 410}

    def channel_at(self, url):
        self.url = f"{url}/hook/path-secret-1"
        return WebhookChannel({"ENABLED": True, "URL": self.url, "SECRET": WEBHOOK_SECRET})

    def make_refused(self):
        self.gateway.answer("gone", status=410)
        return self.make()

    def nobody(self):
        pytest.skip("whoever has no webhook gets that of the site")


class TestApprise(HttpContract):
    secrets = ("pass-word-1", "path-secret-1")
    refusal = {"body": "pass-word-1 path-secret-1 is wrong", "status": 401}

    def channel_at(self, url):
        host = url.removeprefix("http://")
        return AppriseChannel(
            {"ENABLED": True, "URL": f"json://me:pass-word-1@{host}/path-secret-1"}
        )

    def nobody(self):
        pytest.skip("whoever has no Apprise URL gets that of the site")


class TestEmail(ChannelContract):
    secrets = ("pass-word-1",)

    @pytest.fixture(autouse=True)
    def _sink(self, sink, settings):
        self.sink = sink
        settings.VIGIL_NOTIFICATIONS = {"SEND_DEADLINE_S": 2.5}

    def make(self, **changes):
        options = {"SMTP_SERVER": self.sink.host, "SMTP_PORT": self.sink.port}
        return EmailChannel({"ENABLED": True, "FROM": "vigil@example.com", **options, **changes})

    def make_refused(self):
        self.sink.replies["wang@example.com"] = "550 5.1.1 no such user"
        return self.make()

    def make_unreachable(self):
        return self.make(SMTP_PORT=find_free_port())

    def make_hanging(self):
        self.sink.delay_s = 30
        return self.make()


class TestEmailByBackend(TestEmail):
    def make(self, **changes):
        options = {"host": self.sink.host, "port": changes.get("SMTP_PORT", self.sink.port)}
        backend = "django.core.mail.backends.smtp.EmailBackend"
        return EmailChannel(
            {
                "ENABLED": True,
                "FROM": "Vigil <vigil@example.com>",
                "BACKEND": backend,
                "BACKEND_OPTIONS": options,
            }
        )


class TestSystem(ChannelContract):
    def make(self):
        return SystemChannel({})

    def make_unconfigured(self):
        pytest.skip("the inbox needs no settings")


class Careless(SystemChannel):
    def address(self, person):
        return "x" * 300

    def send(self, messages):
        return super().send(messages)[1:]


@pytest.mark.parametrize(
    "test",
    [
        ChannelContract.test_each_message_has_one_outcome,
        ChannelContract.test_address_and_lane_can_be_stored_and_show_no_secret,
        ChannelContract.test_channel_without_settings_says_what_is_missing,
    ],
)
def test_contract_finds_out_a_channel_that_breaks_it(test):
    class Contract(ChannelContract):
        def make(self):
            return Careless({})

    with pytest.raises(AssertionError):
        test(Contract())
