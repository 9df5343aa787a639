from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractBaseUser, AbstractUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models


class PersonManager(BaseUserManager):
    def create_superuser(self, password=None, **fields):
        person = self.model(**fields)
        person.set_password(password)
        person.save(using=self._db)
        return person


class UuidPerson(AbstractUser):
    """As Django's own user, with another key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)


class Operator(AbstractBaseUser):
    """What every user model without groups, permissions, address and flags has."""

    objects = PersonManager()

    is_staff = is_superuser = True

    def has_perm(self, perm, obj=None):
        return True

    has_perms = has_perm

    def has_module_perms(self, app_label):
        return True

    class Meta:
        abstract = True


class NamedPerson(Operator):
    """The name is the key; there is no address."""

    login = models.CharField(max_length=254, primary_key=True)

    USERNAME_FIELD = "login"


class PrefixedKeyField(models.Field):
    """A key that is a number in the database and a text like `usr_7` in Python."""

    empty_strings_allowed = False

    def get_internal_type(self):
        return "BigIntegerField"

    def from_db_value(self, value, expression, connection):
        return None if value is None else f"usr_{value}"

    def to_python(self, value):
        if value is not None and not str(value).startswith("usr_"):
            raise ValidationError("no such key")
        return value

    def get_prep_value(self, value):
        return None if value is None else int(str(value).removeprefix("usr_"))


class PrefixedPerson(Operator):
    """Signs in with an address, which is the only name."""

    id = PrefixedKeyField(primary_key=True)
    mail = models.EmailField(unique=True)

    USERNAME_FIELD = EMAIL_FIELD = "mail"

    def save(self, **kwargs):
        if self.id is None:
            self.id = f"usr_{PrefixedPerson.objects.count() + 7}"
        super().save(**kwargs)
