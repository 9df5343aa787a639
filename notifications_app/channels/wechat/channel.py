"""Group robots of WeChat Work (today's name there: message push)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from notifications_app import http_client
from notifications_app.channels.base import NO_TOPIC, Channel, Message, Outcome, Person, Topic
from notifications_app.channels.calls import Deadline, by_target
from notifications_app.channels.configuration import lacking
from notifications_app.channels.wechat import errcodes, post, verdict
from notifications_app.channels.wechat.robots import EXAMPLE, Route, Routes
from notifications_app.errors import DeliveryError
from scheduler_app.masking import add_secret, mask


class WechatChannel(Channel):
    """Posts to a group, one post for all people of one happening; a lane is a robot."""

    name = "WECHAT"
    option_names = frozenset({"ENABLED", "WEBHOOK_URL", "ROBOTS", "ROUTES", "FORMAT", "RATE_LIMIT"})
    batch_by_group: ClassVar[bool] = True
    usual_rate_limit: ClassVar[str] = "20/minute"

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._routes = Routes(options)
        for robot in self._routes:
            add_secret(robot.key)

    def problem(self) -> str:
        if found := lacking(self.name, self.options, ["WEBHOOK_URL"]):
            return found
        robot = next(iter(self._routes))
        if not robot.key or robot.has_misspelt_host:
            text = _("WECHAT_WEBHOOK_URL is not the whole URL of a group robot: write %(example)s")
            return text % {"example": EXAMPLE}
        return self._routes.problem()

    def address(self, person: Person) -> str:
        """What the post mentions. The group reads every post, so a person without an id is reached, too."""
        return post.mention_of(person) or _("the group")

    def without_mention(self, person: Person) -> str:
        if post.mention_of(person):
            return ""
        return _("posted to the group without a mention: no WeChat Work id or mobile")

    def lane(self, address: str, topic: Topic = NO_TOPIC) -> str:
        return self._routes.of(topic).robot(topic).lane

    def lane_name(self, lane: str) -> str:
        return self._routes.name_of(lane)

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return by_target(messages, lambda message: self.lane("", message.topic), self._post)

    def _post(self, messages: Sequence[Message], deadline: Deadline) -> tuple[str, str]:
        """Code and answer of an accepted post. One that is called too long is tried once more, shorter."""
        route = self._routes.of(messages[0].topic)
        try:
            return self._post_once(messages, route, deadline)
        except DeliveryError as error:
            if error.code != str(errcodes.TOO_LONG):
                raise
        return self._post_once(messages, route, deadline, shorter=True)

    def _post_once(
        self,
        messages: Sequence[Message],
        route: Route,
        deadline: Deadline,
        *,
        shorter: bool = False,
    ) -> tuple[str, str]:
        robot = route.robot(messages[0].topic)
        body = post.compose(messages, route.format, shorter=shorter)
        answer = http_client.post(robot.url, json=body, timeout_s=deadline.left_s())
        return str(verdict.accepted(answer)["errcode"]), mask(answer.text)
