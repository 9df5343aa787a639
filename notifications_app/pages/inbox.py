"""A person's own inbox."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import ngettext

from notifications_app import inbox
from scheduler_app.pages.keyset import portion, whole_number
from scheduler_app.pages.reader import action, is_refresh, page
from scheduler_app.pages.rendering import render


@page
def entries(request: HttpRequest) -> HttpResponse:
    rows = inbox.entries(request.user)
    only_unread = request.GET.get("show") == "unread"
    if only_unread:
        rows = rows.filter(read_at=None)
    context = {"entries": portion(request, rows), "only_unread": only_unread}
    part = "_inbox_live.html" if is_refresh(request) else "inbox.html"
    return render(request, f"notifications_app/{part}", context)


@action(needs="")
def mark_read(request: HttpRequest) -> str:
    """The entry that the form names in `id`; all of them without one."""
    entry = whole_number(request.POST.get("id"))
    count = inbox.mark_read(request.user, None if entry is None else [entry])
    text = ngettext("%(n)s message marked as read.", "%(n)s messages marked as read.", count)
    return text % {"n": count}
