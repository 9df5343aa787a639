"""Form fields with secrets in them: shown masked, and what is sent back as it was shown stays as it is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _

from scheduler_app.masking import mask, restored, shown

TYPE_AGAIN = _("A secret that you typed is not shown again: write it once more.")


class SecretField(forms.Field):
    """Takes the place of a field of a form, whose value in force is `saved`."""

    def __init__(self, saved: Any, **options: Any) -> None:
        super().__init__(**options)
        self.saved = saved

    def hides(self, sent: Any) -> bool:
        """Whether `sent` holds a secret that would be lost if the form were sent again as it is shown."""
        raise NotImplementedError


class SecretJSON(SecretField, forms.JSONField):
    """Masks by the names of the keys and the look of the texts (`masking.shown`)."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, InvalidJSONInput):
            return mask(value)
        return super().prepare_value(shown(value))

    def clean(self, value: Any) -> Any:
        return restored(super().clean(value), self.saved)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial)
        except forms.ValidationError:
            return True

    def hides(self, sent: Any) -> bool:
        try:
            value = self.clean(sent)
        except forms.ValidationError:
            return False
        return bool(restored(shown(value), self.saved) != value)


class SecretText(SecretField, forms.CharField):
    """`show` says what may be seen of the text."""

    def __init__(self, saved: str, show: Callable[[str], str], **options: Any) -> None:
        super().__init__(saved, **options)
        self._show = show
        self.widget.attrs.update(spellcheck="false", autocomplete="off")

    def prepare_value(self, value: Any) -> Any:
        return self._show(self.saved) if self.hides(value) else self._show(value or "")

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return self.saved if text and text == self._show(self.saved) else text

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self._show(self.saved), data)

    def hides(self, sent: Any) -> bool:
        known = (self.saved, self._show(self.saved))
        return bool(sent) and sent not in known and self._show(sent) != sent


class HidesSecrets(forms.BaseForm):
    """A form that says of which secrets it has lost sight when it is shown once more."""

    def conceal(self, name: str, kind: Callable[..., SecretField], *about: Any) -> None:
        """Put a field of `kind` in the place of the field `name`."""
        old = self.fields[name]
        field = kind(
            *about,
            label=old.label,
            required=old.required,
            help_text=old.help_text,
            widget=old.widget,
            validators=old.validators,
        )
        self.fields[name] = field

    def full_clean(self) -> None:
        super().full_clean()
        if not self.is_bound or self.is_valid():
            return
        for name, field in self.fields.items():
            if isinstance(field, SecretField) and field.hides(self[name].data):
                self.add_error(name, TYPE_AGAIN)
