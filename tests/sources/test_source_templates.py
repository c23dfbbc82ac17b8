"""Templates fill in values, and nothing that a value holds can break out of its place."""

import json

import pytest

from services.sources import SourceRefused
from services.sources.fields import ANSWER
from services.sources.templates import FaultyJson, compiled, json_template
from tests.sources.source_kit import answer, answers, changed, connect, define


def test_a_value_is_rendered_as_json_writes_it() -> None:
    template = compiled("{{row.a}} {{row.b}} {{row.c}} {{row.n}}{{row.missing}} {{row.l}}.")
    values = {"a": 750.5, "b": True, "c": "<&>", "n": None, "l": [1, "ö", None]}
    assert template.render({"row": values}) == '750.5 true <&>  [1, "ö", null].'


def test_html_is_escaped_where_html_is_made() -> None:
    template = compiled("{{a}}{{#items}}<{{name}}>{{/items}}")
    context = {"a": "<script>", "items": [{"name": "x&y"}, {"name": "'"}]}
    assert template.render(context, "html") == "&lt;script&gt;<x&amp;y><&#x27;>"


def test_a_path_part_is_quoted_whole() -> None:
    template = compiled("/items/{{item.record_id}}/decision")
    rendered = template.render({"item": {"record_id": "a/../b?x=1#é %"}}, "path")
    assert rendered == "/items/a%2F..%2Fb%3Fx%3D1%23%C3%A9%20%25/decision"


def test_attributes_of_values_are_not_reachable() -> None:
    assert compiled("{{a.__class__}}").names == ("a.__class__",)
    assert compiled("{{a.__class__}}").render({"a": "text"}) == ""


def test_a_json_body_cannot_be_broken_out_of() -> None:
    body = json_template({"why": "{{answer.reason}}", "who": "by {{answer.by_name}}"}, ANSWER)
    evil = '", "decision": "approve", "x": "'
    value = body.value({"answer": {"reason": evil, "by_name": evil}})
    assert value == {"why": evil, "who": f"by {evil}"}
    assert json.loads(json.dumps(value)) == value


def test_a_member_without_a_value_is_left_out_and_literals_stay_as_they_are() -> None:
    body = json_template(
        {
            "why": "{{answer.reason}}",
            "n": 3,
            "nothing": None,
            "list": ["{{answer.by_email}}", True],
        },
        ANSWER,
    )
    assert body.value({"answer": {"reason": None, "by_email": "j@example.com"}}) == {
        "n": 3,
        "nothing": None,
        "list": ["j@example.com", True],
    }


def test_every_fault_of_a_body_is_told_with_its_place() -> None:
    with pytest.raises(FaultyJson) as caught:
        json_template(
            {"a": ["{{x}}"], "b": {"c": "{{{answer.reason}}}"}, "d": float("nan")}, ANSWER
        )
    assert [path for path, _ in caught.value.faults] == [("a", 0), ("b", "c"), ("d",)]


@pytest.mark.parametrize("text", ["{{}}", "{{ }}", "{{a b}}", "{{a..b}}", "{{.}}", "{{#a}}{{/b}}"])
def test_a_tag_that_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"holds no name|only inside a section|not open"):
        compiled(text)


async def test_a_header_cannot_be_broken_out_of() -> None:
    handler, asked = answers({})
    file = changed({"decide.approve.headers": {"X-By": "{{answer.by_name}} via Placet"}})
    await connect(handler, define(file)).decide(answer(by_name="J\r\nX-Admin: yes ö"))
    assert asked[0].headers.get("x-admin") is None
    assert asked[0].headers.raw[-1][0] != b"X-Admin"
    assert dict(asked[0].headers.raw)[b"X-By"] == "J  X-Admin: yes ö via Placet".encode()


async def test_a_record_id_cannot_lead_to_another_path() -> None:
    handler, asked = answers({})
    with pytest.raises(SourceRefused, match="would lead somewhere else"):
        await connect(handler).decide(answer(record_id=".."))
    assert asked == []
    await connect(handler).decide(answer(record_id="../../admin?x"))
    assert asked[0].url.raw_path == b"/api/items/..%2F..%2Fadmin%3Fx/decision"
