"""What the admin pages of the three apps have in common."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.core.paginator import Paginator
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from scheduler_app.people import may

if TYPE_CHECKING:  # generic in the stubs alone
    Admin = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
    Pages = Paginator[Any]
    InlineFormSet = BaseInlineFormSet[Any, Any, Any]
else:
    Admin, Inline, Pages, InlineFormSet = (
        admin.ModelAdmin,
        admin.TabularInline,
        Paginator,
        BaseInlineFormSet,
    )

COUNTED_ROWS = 10_000
SHOWN_IN_INLINE = 100

ICONS = {
    # jobs
    "ACTIVE": "●",
    "ORPHANED": "∅",
    "BROKEN": "✗",
    "WATCHED": "◎",
    # runs
    "QUEUED": "…",
    "RUNNING": "▶",
    "SUCCESS": "✓",
    "FAILED": "✗",
    "TIMEOUT": "⧖",
    "LOST": "?",
    "CANCELLED": "⊘",
    "SKIPPED": "↷",
    "MISSED": "!",
    # nodes
    "ALIVE": "●",
    "STOPPED": "■",
    "DEAD": "✗",
    # alerts
    "OPEN": "!",
    "ACKNOWLEDGED": "◐",
    "RESOLVED": "✓",
    # notifications
    "PENDING": "…",
    "SENDING": "▶",
    "UNKNOWN": "?",
    "SENT": "✓",
    "SUPPRESSED": "⊘",
    "WITHDRAWN": "↶",
}


def mark(state: str, word: Any) -> SafeString:
    """A state as icon and word."""
    return format_html('<span class="nowrap">{}&nbsp;{}</span>', ICONS.get(state, "•"), word)


def breakable(name: str) -> SafeString:
    """A name that may go on in a second line after an underscore; copied, it is the name alone."""
    parts = ((part,) for part in name.split("_"))
    return format_html_join(mark_safe("_<wbr>"), "{}", parts)


def block(text: str) -> SafeString | str:
    """Text of several lines, as it is."""
    return format_html("<pre>{}</pre>", text) if text else ""


class BoundedPaginator(Pages):
    """Counts at most `COUNTED_ROWS` rows, so that a page costs the same at any length of history."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[:COUNTED_ROWS].count())


class ReadOnlyAdmin(Admin):
    """Rows that only the domain verbs write. Actions ask for the permission `operate`."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_operate_permission(request)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """The permission to change the model is that to act on its rows."""
        codename = get_permission_codename("change", self.opts)
        return may(request.user, f"{self.opts.app_label}.{codename}")


class HistoryAdmin(ReadOnlyAdmin):
    """Rows of a table that grows for ever: no page of it costs more for its length."""

    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    sortable_by = ()  # only the order of the primary key is cheap


class LatestFormSet(InlineFormSet):
    """The first `SHOWN_IN_INLINE` rows alone."""

    def get_queryset(self) -> Any:
        if not hasattr(self, "_queryset"):
            self._queryset = super().get_queryset()[:SHOWN_IN_INLINE]
        return self._queryset


class ReadOnlyInline(Inline):
    """The latest rows beneath their parent."""

    formset = LatestFormSet
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the parent, whose page this is a part of."""
        return True
