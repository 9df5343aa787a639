"""What the admin pages of the three apps have in common."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db import DataError, models
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from scheduler_app.masking import shown
from scheduler_app.people import may
from scheduler_app.texts import typed

if TYPE_CHECKING:  # generic in the stubs alone
    StockAdmin = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
    Pages = Paginator[Any]
    InlineFormSet = BaseInlineFormSet[Any, Any, Any]
else:
    StockAdmin, Inline, Pages, InlineFormSet = (
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


class Admin(StockAdmin):
    """Shows every value without secrets: a field that may only be read does not pass through the form that masks it."""

    def conceal(self, name: str, value: Any) -> Any:
        """What may be seen of `value` in the field `name`."""
        return shown(value, name)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Refuses a filter that would tell a secret letter by letter (`?kwargs__password__startswith=a`)."""
        first = lookup.partition("__")[0]
        wide = (models.TextField, models.JSONField)
        if any(one.name == first and isinstance(one, wide) for one in self.opts.concrete_fields):
            return False
        return bool(super().lookup_allowed(lookup, value, request))  # type: ignore[arg-type]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"].form
        form.instance = self.concealed(form.instance)
        if context.get("original") is not None:
            context["original"] = form.instance
        for inline in context["inline_admin_formsets"]:
            for one in inline.formset.forms:
                one.instance = self.concealed(one.instance)
        return super().render_change_form(request, context, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = super().changelist_view(request, *args, **kwargs)
        except (ValueError, OverflowError, DataError) as error:
            raise BadRequest("The filter has a value that is out of range.") from error
        found = (getattr(response, "context_data", None) or {}).get("cl")
        if found is not None:
            found.result_list = [self.concealed(one) for one in found.result_list]
        return response

    def concealed(self, row: Any) -> Any:
        """A copy of `row` that is fit to be shown and never saved."""
        seen = copy.copy(row)
        for field in self._texts(type(row)):
            if field.attname not in row.get_deferred_fields():
                value = self.conceal(field.name, getattr(row, field.attname))
                seen.__dict__[field.attname] = value
        return seen

    def _texts(self, model: Any) -> list[Any]:
        """The fields in which people, jobs and gateways write."""
        kinds = (models.CharField, models.TextField, models.JSONField)
        return [
            field
            for field in model._meta.concrete_fields
            if isinstance(field, kinds) and not (field.choices or field.primary_key)
        ]


class TypedSearch(Admin):
    """Searches for what was typed or pasted."""

    class Media:
        css: ClassVar = {"all": ["scheduler_app/admin.css"]}

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        return super().get_search_results(request, queryset, typed(search_term))


class ReadOnlyAdmin(TypedSearch):
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
