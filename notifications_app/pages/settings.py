"""A person's own notification settings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from notifications_app import preferences
from notifications_app.channels import registry
from notifications_app.pages.preferences_form import CHANNELS, PreferencesForm
from scheduler_app import conf as scheduler_conf
from scheduler_app import zones
from scheduler_app.pages.reader import page


@page
def my_settings(request: HttpRequest) -> HttpResponse:
    mine = preferences.of(request.user)
    form = PreferencesForm(request.POST if request.method == "POST" else None, instance=mine)
    if request.method == "POST" and form.is_valid():
        preferences.save(request.user, form.cleaned_data)
        messages.success(request, _("Your settings are saved."))
        return HttpResponseRedirect(reverse("vigil_notifications:settings"))
    context = {
        "form": form,
        "channels": [
            (form[f"{name}_enabled"], form[f"{name}_min_severity"], name.upper())
            for name in CHANNELS
            if name.upper() in registry.names()
        ],
        "account_email": preferences.person_of(preferences.of(request.user)).email,
        "site_zone": scheduler_conf.site_time_zone(),
        "zones": sorted(zones.names()),
    }
    return render(request, "notifications_app/settings.html", context)
