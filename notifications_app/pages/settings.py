"""A person's own notification settings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from notifications_app import conf, confirmation, preferences
from notifications_app.channels import registry
from notifications_app.channels.base import Person
from notifications_app.channels.targets import Target
from notifications_app.channels.webhook.channel import WebhookChannel
from notifications_app.errors import MissingAddressError, TooManyError
from notifications_app.pages.preferences_form import CHANNELS, PreferencesForm
from scheduler_app import conf as scheduler_conf
from scheduler_app import zones
from scheduler_app.pages.reader import page
from scheduler_app.pages.rendering import render


@page
def my_settings(request: HttpRequest) -> HttpResponse:
    mine = preferences.of(request.user)
    form = PreferencesForm(request.POST if request.method == "POST" else None, instance=mine)
    if request.method == "POST" and form.is_valid():
        try:
            saved = confirmation.save_own(request.user, form.cleaned_data)
        except TooManyError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("vigil_notifications:settings"))
        messages.success(request, _("Your settings are saved."))
        if saved.email_pending:
            text = _(
                "%(address)s is used as soon as its reader follows the link that is sent there."
            )
            messages.info(request, text % {"address": saved.email_pending})
        return HttpResponseRedirect(reverse("vigil_notifications:settings"))
    person = preferences.person_of(preferences.of(request.user))
    context = {
        "form": form,
        "channels": [
            (
                form[f"{name}_enabled"],
                form[f"{name}_min_severity"],
                name.upper(),
                _remark(name.upper(), person),
            )
            for name in CHANNELS
        ],
        "webhook_secrets": _webhook_secrets(request),
        "account_email": person.email,
        "site_zone": scheduler_conf.site_time_zone(),
        "zones": sorted(zones.names()),
    }
    return render(request, "notifications_app/settings.html", context)


def _remark(channel: str, person: Person) -> str:
    """What keeps `channel` from the reader, or what is to be known of how it reaches them."""
    one = registry.shared(channel)
    if one.problem():
        return _("not set up on this site")
    try:
        one.address(person)
    except MissingAddressError as error:
        return str(error)
    return one.without_mention(person)


def _webhook_secrets(request: HttpRequest) -> list[str]:
    """What the reader's own webhook is signed with: theirs alone, so they may see it."""
    url = preferences.of(request.user).webhook_url
    channel = WebhookChannel(conf.channel_options(WebhookChannel.name))
    if not url or channel.problem():
        return []
    return channel.secrets_of(Target(url, is_own=True))
