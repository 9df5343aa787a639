from __future__ import annotations

import time

import pytest

from scheduler_app.masking import MASK, add_secret, mask, shown

SECRET = "hUnter2x"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM_LINES = "MIIEowIBAAKCAQEA7bq\nhUnter2xAbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/ab\nZZhUnter2xQ=="
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_LINES}\n-----END RSA PRIVATE KEY-----"

SECRETS = [
    f"pwd={SECRET}",
    f"PWD={SECRET}",
    f"db_pwd = {SECRET}",
    f"--password {SECRET}",
    f"--password={SECRET}",
    f"--db-password '{SECRET}'",
    f"['manage.py', '--password', '{SECRET}']",
    f"['--token={SECRET}']",
    f"mysql -u root -p{SECRET} shop",
    f"sshpass -p {SECRET} ssh host",
    f"curl -u bob:{SECRET} https://host",
    f"{{'password': ['{SECRET}']}}",
    f"{{'passwords': ['a', '{SECRET}']}}",
    f"{{'password': {{'value': '{SECRET}'}}}}",
    f'{{"user": {{"password": "{SECRET}"}}}}',
    f'{{\\"password\\": \\"{SECRET}\\"}}',
    f"{{'password': b'{SECRET}'}}",
    f'"api-key":"{SECRET}"',
    f"password = 'two words {SECRET}'",
    f'password="it\\"s {SECRET}"',
    f"password: {SECRET}",
    f"password: |\n  {SECRET}\n",
    f"tokens:\n  - first\n  - {SECRET}\n",
    f"Config(password='{SECRET}', host='db')",
    f"password=>{SECRET}",
    f"SECRET_KEY={SECRET}",
    f"environ({{'DB_PASSWORD': '{SECRET}', 'HOME': '/root'}})",
    f"AWS_SECRET_ACCESS_KEY={SECRET}",
    f"aws_access_key_id = {SECRET}",
    f"accessKeySecret: {SECRET}",
    f"password2={SECRET}",
    f"clientSecret={SECRET}",
    f"<password>{SECRET}</password>",
    f"Authorization: Basic {SECRET}",
    f"Authorization: Bearer {SECRET}",
    f"Proxy-Authorization: Digest {SECRET}",
    f"'Authorization': 'Token {SECRET}'",
    f"Bearer {SECRET}",
    f"X-Api-Key: {SECRET}",
    f"Cookie: sessionid={SECRET}; csrftoken={SECRET}",
    f"auth=('bob', '{SECRET}')",
    f"postgres://u:{SECRET}@h/db",
    f"postgres://u:p@{SECRET}@h/db",
    f"postgres://u@server:p@{SECRET}@h/db",
    f"postgres://u:p/{SECRET}@h/db",
    f"redis://:p#{SECRET}@h:6379/0",
    f"amqp://u:12{SECRET}@h",
    f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={SECRET}",
    f"https://hooks.slack.com/services/T0/B0/{SECRET}",
    f"https://open.feishu.cn/open-apis/bot/v2/hook/{SECRET}",
    f"密码：{SECRET}",
    f"密码: {SECRET}，请保存",
    f"数据库口令={SECRET}",
    f"密码是{SECRET}",
    f"AKIA{SECRET.upper()}ABCDEFGH",
    f"LTAI5t{SECRET}AbCd",
    f"ghp_{SECRET}AbCdEfGhIjKlMn",
    f"token {JWT} refused".replace("dozjgNry", SECRET),
    f"token eyJhbGciOiJIUzI1NiJ9.{SECRET}",
    PEM,
    f"key: {PEM!r}",
    PEM.partition("-----END")[0],
    PEM.partition("\n")[2],
    PEM.replace("AbCd", "\n… 1,234 bytes left out …\n"),
    PEM.replace("RSA ", "OPENSSH "),
]


@pytest.mark.parametrize("text", SECRETS)
def test_secret_is_masked(text):
    assert SECRET.lower() in text.lower()
    found = mask(text)
    assert SECRET.lower() not in found.lower()
    assert MASK in found
    assert SECRET.lower() not in mask(f"Error at 10:00, a=b: {text} (line 3)").lower()
    assert mask(found) == found


@pytest.mark.parametrize(
    "text",
    [
        "password reset for bob",
        "tokens: 5",
        "prompt_tokens=1234",
        "{'total_tokens': 99}",
        "token_count: 5",
        "token_type: none",
        "token_url=https://host/path",
        "password_length=12",
        "password_expires_at=2026-01-01",
        "--password-file /run/key",
        "secretary: Bob",
        "tokenizer=bpe",
        "use --password to sign in",
        "option --token is required",
        "the password is wrong",
        "PWD=/home/olga",
        "OLDPWD=/srv",
        "https://host:8080/path?mail=a@b.com",
        "http://host:80",
        "mailto:bob@example.com",
        "git@github.com:team/repo.git",
        "ssh -p 22 host; mkdir -p a/b",
        "mysql --port=3306 -h db",
        "the bearer of good news",
        "basic understanding: none",
        "keyboard: de, monkey=banana, key=value",
        "sort key: name",
        "author=olga",
        "compass: north",
        "-----BEGIN CERTIFICATE-----\nMIIEowIBAAKC\n-----END CERTIFICATE-----",
        "用户：张三，状态：成功",
        "是否成功：是",
        "10:00:01 run 5 of import_orders ended: 3 rows",
    ],
)
def test_ordinary_text_stays(text):
    assert mask(text) == text


def test_what_is_no_secret_stays_beside_one():
    assert mask("postgres://u:p@ss@h/db") == f"postgres://u:{MASK}@h/db"
    assert mask("a=1 pwd=x b=2") == f"a=1 pwd={MASK} b=2"
    assert (
        mask("{'password': ['x', 'y'], 'host': 'db'}") == f"{{'password': [{MASK}], 'host': 'db'}}"
    )
    assert mask("f(password='x y', port=5)") == f"f(password='{MASK}', port=5)"
    assert mask(f"before\n{PEM}\nafter") == f"before\n-----BEGIN RSA PRIVATE KEY-----{MASK}\nafter"
    assert mask("密码：x，用户：y") == f"密码：{MASK}，用户：y"


def test_names_of_values():
    value = {"password": "x", "tokens": 5, "max_tokens": 7, "token": 12345, "n": [1], "pwd": ["x"]}
    wanted = {
        "password": MASK,
        "tokens": 5,
        "max_tokens": 7,
        "token": MASK,
        "n": [1],
        "pwd": [MASK],
    }
    assert shown(value) == wanted


def test_told_secret_is_masked_in_urls_and_before_its_parts(monkeypatch):
    monkeypatch.setattr("scheduler_app.masking._secrets", ())
    add_secret("p@ss/word")
    add_secret("p@ss/word-and-more")
    assert mask("p@ss/word-and-more p@ss/word p%40ss%2Fword") == f"{MASK} {MASK} {MASK}"


PIECES = [
    "a", "password", "password=", "password='", 'password="\\', "password=[", "password: {'a': ", "--password ",
    "a://b:", "://", "a://b:c@", "http://a:b/", "eyJ", "eyJaaaaaa.", "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY----- a ", "mysql ", "curl -u a", "bearer ", "cookie: ",
    "token_", "token\\", "passwd:\n - a", "<password>", "authorization: ", "=", ":", " ", "\n", "密码：", "密码", "n\\",
    "AKIA", "ghp_", "sk-a", "auth=(", "--token-", "hooks.slack.com/services/", "tokens ", "A" * 50 + "\n",
]  # fmt: skip


def seconds(text: str) -> float:
    best = 1e9
    for _ in range(3):
        begin = time.process_time()
        mask(text)
        best = min(best, time.process_time() - begin)
    return best


@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_with_the_length_only(piece):
    """Eight times the text may take twenty times as long; a quadratic pattern takes sixty-four times."""
    short, long = piece * (4000 // len(piece)), piece * (32_000 // len(piece))
    assert seconds(long) < 20 * max(seconds(short), 0.0005)
