"""What a source file may say, and what is said about one that is wrong."""

from pathlib import Path

import pytest

from services.sources.connection import BearerAuth
from services.sources.loading import load_source
from services.yaml_files.faults import FileInvalid
from tests.sources.source_kit import FILE, changed, define, faults_of

ACME = Path(__file__).resolve().parents[2] / "deploy" / "demo" / "acme-expenses.yaml"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_good_file_has_no_faults() -> None:
    assert faults_of(FILE) == []


def test_the_demo_file_loads_and_takes_its_settings_from_the_environment() -> None:
    plain = load_source(ACME, "w1", {})
    assert plain.file.http.base_url == "http://127.0.0.1:8081"
    assert plain.file.webhook is not None
    assert plain.file.webhook.secret is None
    told = load_source(
        ACME,
        "w1",
        {
            "ACME_EXPENSES_URL": "http://127.0.0.1:9000/",
            "ACME_EXPENSES_TOKEN": "t0ken",
            "ACME_EXPENSES_WEBHOOK_SECRET": SECRET,
        },
    )
    assert told.file.http.base_url == "http://127.0.0.1:9000"
    assert isinstance(told.file.http.auth, BearerAuth)
    assert told.file.http.auth.token is not None
    assert told.file.http.auth.token.reveal() == "t0ken"
    assert told.name == "acme-expenses"


def test_every_fault_is_named_at_once_with_its_line() -> None:
    text = FILE.replace("timeout: 5s", "timeout: 5").replace("records: records", "recrods: a.[")
    text = text.replace("record_id: id", "record_id: a.[").replace("{{row.id}}", "{{{row.id}}}")
    assert faults_of(text) == [
        "acme.yaml:4: http.timeout: needs a unit: write 5s for seconds, or use ms, m, h or d",
        "acme.yaml:7: list.recrods: is not known here; did you mean `records`?",
        "acme.yaml:9: map.record_id: `a.[` is not a JMESPath expression: Incomplete expression",
        (
            "acme.yaml:13: map.title: {{{row.id}}} would put row.id in as it comes, markup and "
            "all: write {{row.id}}, which is escaped"
        ),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Acme Corp"}, "name: may hold a-z"),
        ({"http": None}, "http: is missing"),
        ({"http.base_url": "acme.test"}, "http.base_url: must be a URL such as"),
        ({"http.base_url": "ftp://acme.test"}, "http.base_url: must be a URL such as"),
        ({"http.base_url": "https://u:p4ss@acme.test"}, "must not hold a name or a password"),
        ({"http.timeout": "10 parsecs"}, "'10 parsecs' is no length of time"),
        ({"http.timeout": "1h"}, "http.timeout: must be from 0.1s to 2m"),
        ({"http.rate": {"limit": 0}}, "http.rate.limit: must be greater than or equal to 1"),
        ({"http.rate": {"limit": "many"}}, "http.rate.limit: must be a whole number"),
        ({"http.auth": {"type": "oauth"}}, "http.auth.type: must be one of 'none', 'basic'"),
        ({"http.auth": {"token": 1}}, "http.auth.type: is missing"),
        ({"http.auth": {"type": "api_key", "key": {"env": "K"}}}, "either `header` or `query`"),
        ({"http.headers": {"X-Api-Key": "abc"}}, "looks like a secret, which no file may hold"),
        ({"http.headers": {"a b": "c"}}, "http.headers.a b: is not the name of a header"),
        ({"list.path": "items"}, "list.path: must begin with /"),
        ({"list.path": "/items?x=1"}, "list.path: must not hold ?"),
        ({"list.path": "/items/{{item.record_id}}"}, "{{item.record_id}} has no value here"),
        ({"list.query": {"token": "abc"}}, "list.query.token: looks like a secret"),
        ({"list.query": {"a": [1]}}, "list.query.a: must be one value"),
        ({"list.records": "foo(@)"}, "calls foo(), which JMESPath has not"),
        ({"list.paginate": {"type": "scroll"}}, "list.paginate.type: must be one of 'none'"),
        ({"list.paginate": {"type": "cursor", "param": "c"}}, "list.paginate.next: is missing"),
        (
            {"list.paginate": {"type": "offset", "param": "o", "size": 5, "limt": 1}},
            "list.paginate.limt: is not known here",
        ),
        (
            {"list.cursor": {"type": "time", "field": "t", "param": "p", "lokback": "1m"}},
            "list.cursor.lokback: is not known here; did you mean `lookback`?",
        ),
        ({"list.cursor": {"type": "time", "field": "t"}}, "needs either `param`, or a `query`"),
        (
            {"list.cursor": {"type": "opaque", "field": "t", "param": "p", "lookback": "1m"}},
            "list.cursor.lookback: is not known here",
        ),
        ({"list.sweep": {"interval": "1ms"}}, "list.sweep.interval: must be from 1s to 1d"),
        ({"keep": ""}, "keep: is empty"),
        ({"sensitive": ["/iban", "salary"]}, "sensitive[1]: must be a JSON pointer, such as"),
        ({"sensitive": [3]}, "sensitive[0]: must be a text"),
        ({"map.payload": 3}, "map.payload: must be a text"),
        ({"map.approvers": {"each": "@"}}, "map.approvers.email: is missing"),
        ({"map.title": "{{#row.a}}x"}, "the section {{#row.a}} is never closed"),
        ({"map.title": "{{id}}"}, "{{id}} has no value here; known are row.*"),
        ({"map.title": "{{row.id"}, "has a {{ that is never closed"),
        ({"states": None}, "map.state: has no `states`"),
        ({"map.state": None}, "states: is of no use without `map.state`"),
        ({"states.pending": []}, "states.pending: must hold at least one value"),
        ({"states.approved": ["pending"]}, "states.approved: holds 'pending', which stands under"),
        ({"get.etag": {}}, "get.etag: needs either `header` or `field`"),
        ({"decide.deny": None}, "decide.deny: is missing"),
        ({"decide.approve.method": "GET"}, "decide.approve.method: must be 'POST', 'PUT'"),
        ({"decide.approve.json": {"a": ["{{reason}}"]}}, "decide.approve.json.a[0]: {{reason}}"),
        ({"card": {"title": "x", "body": "{{{html}}}"}}, "card.body: {{{html}}} would put html"),
        ({"card": {"title": "x", "body": "{{&html}}"}}, "card.body: {{&html}} would put html"),
        ({"card": {"title": "x", "body": "{{> other}}"}}, "includes another template"),
        ({"card": {"title": "x", "body": "{{=<% %>=}}<%&a%>"}}, "changes the delimiters"),
        ({"card": {"title": "{{/a}}", "body": "x"}}, "closes a section that is not open"),
        ({"webhook": {"secret": SECRET}}, "webhook.secret: is a secret, which no file may hold"),
        ({"webhook": {"secret": {"env": "W"}}}, "the environment variable W is not set"),
        ({"sweep": {"interval": "1m"}}, "sweep: is not known here"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(changes: dict[str, object], said: str) -> None:
    faults = faults_of(changed(changes), K="k")
    assert any(said in fault for fault in faults), faults
    assert all(fault.startswith("acme.yaml:") for fault in faults)
    assert not any("p4ss" in fault for fault in faults)


def test_a_secret_in_the_file_is_refused_and_never_repeated() -> None:
    auth = {"type": "basic", "username": "u", "password": "hunter2hunter2"}
    (fault,) = faults_of(changed({"http.auth": auth}))
    assert "http.auth.password: is a secret, which no file may hold: write {env:" in fault
    with pytest.raises(FileInvalid) as caught:
        define(changed({"http.auth": auth}))
    assert "hunter2" not in f"{caught.value!r}{caught.value.__context__!r}{caught.value.__cause__}"


def test_a_missing_variable_is_named() -> None:
    text = changed({"http.auth": {"type": "bearer", "token": {"env": "ACME_TOKEN"}}})
    (fault,) = faults_of(text)
    assert "http.auth.token: the environment variable ACME_TOKEN is not set" in fault
    assert faults_of(text, ACME_TOKEN="x") == []


def test_a_secret_never_shows_itself() -> None:
    text = changed({"http.auth": {"type": "bearer", "token": {"env": "ACME_TOKEN"}}})
    definition = define(text, ACME_TOKEN="hunter2hunter2")
    assert "hunter2" not in f"{definition!r} {definition.file} {definition.file.http.auth}"
    assert "hunter2hunter2" in definition.secrets


def test_a_url_from_the_environment_is_not_repeated_when_it_is_wrong() -> None:
    text = changed({"http.base_url": {"env": "ACME_URL"}})
    (fault,) = faults_of(text, ACME_URL="https://admin:hunter2@acme.test")
    assert "http.base_url" in fault
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "acme.yaml:1: the file must be a mapping"),
        ("- a\n- b\n", "acme.yaml:1: the file must be a mapping"),
        ("name: a\nhttp: {\n", "acme.yaml:3: this is not YAML"),
        ("name: a\nname: b\n", "acme.yaml:2: `name` stands here twice: see line 1 too"),
        ("a: !!python/object/apply:os.system [x]\n", "acme.yaml:1: a: is not known here"),
        ("a: &a [*a]\n", "nested too deeply"),
        (
            (
                "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                "e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
            ),
            "repeats too often",
        ),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(text: str, said: str) -> None:
    faults = faults_of(text)
    assert any(said in fault for fault in faults), faults


def test_a_file_that_is_not_there_is_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="No such file"):
        load_source(tmp_path / "none.yaml", "w1", {})
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"name: \xe9\n")
    with pytest.raises(FileInvalid, match="not UTF-8"):
        load_source(latin, "w1", {})


def test_the_line_of_a_mapped_field_can_be_found() -> None:
    definition = define()
    assert definition.line_of("map", "requester", "email") == 15
    assert definition.line_of("map", "urgency") is None
