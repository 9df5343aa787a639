from __future__ import annotations

import os
import stat

import decouple
import polib
import pytest

from project import first_run, translations
from project.configuration.env_file import EnvFileError

KEYS = ["SECRET_KEY", "METRICS_TOKEN", "ADMIN_PASSWORD", "SITE_URL", "JOB_FILE"]


@pytest.fixture
def env(tmp_path):
    return tmp_path / ".env"


def test_first_start_writes_every_key_for_its_owner_only(env):
    assert first_run.complete_env(env, 8123) == KEYS
    values = first_run.read_env(env)
    assert values["SITE_URL"] == "http://localhost:8123"
    assert len({values[key] for key in KEYS}) == len(KEYS)
    assert stat.S_IMODE(env.stat().st_mode) == 0o600


def test_secrets_differ_from_machine_to_machine(tmp_path):
    for name in ("a", "b"):
        first_run.complete_env(tmp_path / name, 8000)
    one, other = (first_run.read_env(tmp_path / name) for name in ("a", "b"))
    assert not {one[key] for key in KEYS[:3]} & {other[key] for key in KEYS[:3]}


def test_second_start_leaves_the_file_as_it_is(env):
    first_run.complete_env(env, 8000)
    before = env.read_bytes(), env.stat().st_mtime_ns
    assert first_run.complete_env(env, 9000) == []
    assert (env.read_bytes(), env.stat().st_mtime_ns) == before


def test_missing_key_is_added_after_what_the_person_wrote(env):
    env.write_text("# mine\nSECRET_KEY=mine\nSITE_URL=https://vigil.example.com")
    env.chmod(0o640)
    assert first_run.complete_env(env, 8000) == ["METRICS_TOKEN", "ADMIN_PASSWORD"]
    assert env.read_text().startswith(
        "# mine\nSECRET_KEY=mine\nSITE_URL=https://vigil.example.com\nM"
    )
    assert stat.S_IMODE(env.stat().st_mode) == 0o640


def test_empty_value_counts_as_written(env):
    env.write_text("METRICS_TOKEN=\n")
    first_run.complete_env(env, 8000)
    assert first_run.read_env(env)["METRICS_TOKEN"] == ""


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"A=1\nEMAIL_ENABLED true\n", 2, "NAME=value"),
        (b"A=1\n\n# note\nexport B 2\n", 4, "NAME=value"),
        (b"A=1\n=2\n", 2, "NAME=value"),
        (b'A=1\nB="open\n', 2, "not closed"),
        (b"A=1\nB=\xff\xfe\n", 2, "not UTF-8"),
        ("A=1\n".encode("utf-16"), 1, "not UTF-8"),
        (b"A=1\r\nB=x\x00y\r\n", 2, "NUL"),
    ],
)
def test_broken_line_is_named(env, text, line, problem):
    env.write_bytes(text)
    with pytest.raises(EnvFileError, match=f"line {line}: .*{problem}") as caught:
        first_run.complete_env(env, 8000)
    assert "\n" not in str(caught.value)
    assert env.read_bytes() == text


@pytest.mark.parametrize(
    "text",
    [
        "A=1\r\nB = two words \n",
        "A=1\rB=2\n",
        'A=\'single\'\nB="double"\nC="\'"\n',
        'EMAIL_FROM="Project Bot" <bot@example.com>\n',
        "A=x#y=z\n  # note\n\nB=\n",
        "A=\u4f60\u2028\u597d\n",
    ],
)
def test_values_are_read_as_decouple_reads_them(env, text):
    env.write_bytes(text.encode())
    assert first_run.read_env(env) == decouple.RepositoryEnv(str(env)).data


def test_folder_in_place_of_the_file_is_told(env):
    env.mkdir()
    with pytest.raises(EnvFileError, match="cannot be read: Is a directory"):
        first_run.complete_env(env, 8000)


def test_all_broken_lines_are_named(env):
    env.write_text("EMAIL_ENABLED true\nA=1\nB='open\n")
    with pytest.raises(EnvFileError) as caught:
        first_run.complete_env(env, 8000)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        f"{env} line 1",
        f"{env} line 3",
    ]


@pytest.mark.django_db
def test_admin_is_made_once_and_a_changed_password_stays(django_user_model):
    assert first_run.make_admin("first-password")
    admin = django_user_model.objects.get(username="admin")
    admin.set_password("changed")
    admin.save()
    assert not first_run.make_admin("first-password")
    admin.refresh_from_db()
    assert admin.is_superuser
    assert admin.check_password("changed")


@pytest.mark.django_db
def test_admin_is_not_made_beside_another_superuser(django_user_model):
    django_user_model.objects.create_superuser("olga", password="secret-pass")
    assert not first_run.make_admin("x")
    assert not django_user_model.objects.filter(username="admin").exists()


@pytest.mark.django_db
def test_admin_gets_an_address_once(django_user_model):
    assert not first_run.give_address("olga@example.com"), "there is no admin"
    first_run.make_admin("first-password")
    assert not first_run.give_address("")
    assert first_run.give_address("olga@example.com")
    assert not first_run.give_address("other@example.com")
    assert django_user_model.objects.get(username="admin").email == "olga@example.com"


@pytest.mark.django_db
def test_other_users_get_no_address(django_user_model):
    django_user_model.objects.create_superuser("olga", password="secret-pass")
    assert not first_run.give_address("olga@example.com")
    assert django_user_model.objects.get(username="olga").email == ""


@pytest.mark.django_db
def test_admin_who_was_demoted_stays_so(django_user_model):
    django_user_model.objects.create_user("admin", password="secret-pass")
    assert not first_run.make_admin("x")
    assert not django_user_model.objects.get(username="admin").is_superuser


def test_catalogue_is_compiled_once_and_again_when_it_changes(tmp_path):
    folder = tmp_path / "some_app/locale/zh_Hans/LC_MESSAGES"
    folder.mkdir(parents=True)
    source = folder / "django.po"
    source.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "Job"\nmsgstr "任务"\n'
    )
    assert translations.compile_all(tmp_path) == [folder / "django.mo"]
    assert translations.compile_all(tmp_path) == []
    assert polib.mofile(str(folder / "django.mo"))[0].msgstr == "任务"
    later = source.stat().st_mtime + 10
    os.utime(source, (later, later))
    assert translations.compile_all(tmp_path) == [folder / "django.mo"]
