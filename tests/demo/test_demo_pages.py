"""On the pages of Acme Expenses people do without JavaScript what the API does."""

import html
import re
from html.parser import HTMLParser

import httpx2
import pytest
from acme_process import Acme

VOID = {"meta", "link", "input", "img", "br"}


class Outline(HTMLParser):
    """Tags that are open, ids, labels and controls of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.ids: list[str] = []
        self.unlabelled: list[str] = []
        self.labelled: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.seen.add(tag)
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag == "label" and given.get("for"):
            self.labelled.add(given["for"] or "")
        control = tag in {"input", "select", "textarea"} and given.get("type") != "hidden"
        if control and "label" not in self.open and given.get("id") not in self.labelled:
            self.unlabelled.append(str(given))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"{tag} closes nothing"
        assert self.open.pop() == tag


def outline(page: httpx2.Response) -> Outline:
    found = Outline()
    found.feed(page.text)
    assert found.open == []
    return found


def sent(**changes: str) -> dict[str, str]:
    return {
        "description": "Lamp",
        "submitter": "jane.doe@example.com",
        "approver": "wei.chen@example.com",
        "currency": "EUR",
        "item-0": "Desk lamp",
        "category-0": "Equipment",
        "amount-0": "49.90",
        "item-1": "",
        "category-1": "Travel",
        "amount-1": "",
        **changes,
    }


def seen(acme: Acme, report_id: str) -> str:
    page = acme.http.get(f"/reports/{report_id}").text
    found = re.search(r'name="seen" value="([^"]*)"', page)
    assert found is not None
    return html.unescape(found[1])


def test_the_list_shows_reports_and_filters_them(acme: Acme) -> None:
    mine = acme.create(description="For Wei", approver={"email_addr": "wei.chen@example.com"})
    other = acme.create(description="For John")
    everything = acme.http.get("/")
    assert everything.status_code == 200
    assert f"/reports/{mine['id']}" in everything.text
    assert f"/reports/{other['id']}" in everything.text
    wei = acme.http.get("/", params={"status": "pending", "approver": "wei.chen@example.com"}).text
    assert f"/reports/{mine['id']}" in wei
    assert f"/reports/{other['id']}" not in wei
    acme.decide(mine["id"])
    assert f'/reports/{mine["id"]}"' not in acme.http.get("/?status=pending").text
    assert f'/reports/{mine["id"]}"' in acme.http.get("/?status=approved").text
    assert acme.http.get("/?status=open").status_code == 422


def test_what_people_wrote_is_never_markup(acme: Acme) -> None:
    text = "<script>alert(1)</script> & \"two\" 'quotes'"
    report = acme.create(
        description=text, line_items=[{"item": text, "category": text, "amount": 1}]
    )
    acme.http.post(f"/approvals/{report['id']}/notes", json={"text": text, "author": text})
    for path in ("/", f"/reports/{report['id']}", f"/reports/{report['id']}/edit"):
        page = acme.http.get(path).text
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; " in page


def test_a_report_is_created_on_the_page_and_comes_through_the_api(acme: Acme) -> None:
    response = acme.http.post("/reports", data=sent(description="Lamp\r\nfor the desk"))
    assert response.status_code == 303
    page = acme.http.get(response.headers["Location"])
    assert "The report was created." in page.text
    record = acme.record(re.split(r"[/?]", response.headers["Location"])[2])
    assert record["description"] == "Lamp\nfor the desk"
    assert record["total_amount"] == 49.9
    assert record["line_items"] == [{"item": "Desk lamp", "category": "Equipment", "amount": 49.9}]
    assert record["approver"]["full_name"] == "Wei Chen"


def test_a_wrong_form_comes_back_as_typed_with_its_faults_named(acme: Acme) -> None:
    changes = {"description": "", "amount-0": "12,50"}
    response = acme.http.post("/reports", data=sent(**changes))
    assert response.status_code == 422
    page = outline(response)
    assert 'value="12,50"' in response.text
    assert 'value="Desk lamp"' in response.text
    for name in ("description", "line-items-0-amount"):
        assert f'href="#{name}"' in response.text
        assert name in page.ids
        assert f"wrong-{name}" in page.ids


def test_more_lines_are_offered_without_saving(acme: Acme) -> None:
    response = acme.http.post("/reports", data=sent(more="1"))
    assert response.status_code == 200
    assert 'name="item-3"' in response.text
    assert 'value="Desk lamp"' in response.text


def test_a_report_is_edited_on_the_page(acme: Acme) -> None:
    report = acme.create()
    path = f"/reports/{report['id']}/edit"
    form = sent(seen=seen(acme, report["id"]), **{"amount-0": "1 049.90"})
    response = acme.http.post(path, data=form)
    assert response.status_code == 303
    record = acme.record(report["id"])
    assert (record["total_amount"], record["version"]) == (1049.9, 2)
    # What is fixed stays: the form cannot change who asks, or in what currency.
    assert (record["currency"], record["submitter"]) == ("USD", report["submitter"])
    stale = acme.http.post(path, data={**form, "description": "Again"})
    assert stale.status_code == 412
    assert "has changed since you opened it" in stale.text
    assert acme.record(report["id"]) == record


@pytest.mark.parametrize(
    ("decision", "status", "by"),
    [
        ("approve", "approved", "lena.hoffmann@example.com"),
        ("reject", "rejected", "lena.hoffmann@example.com"),
        ("cancel", "cancelled", "jane.doe@example.com"),
    ],
)
def test_a_report_is_settled_on_the_page_by_whoever_looks_at_it(
    acme: Acme, decision: str, status: str, by: str
) -> None:
    report = acme.create()
    form = {
        "decision": decision,
        "decided_by": "lena.hoffmann@example.com",
        "reason": "So & so",
        "seen": seen(acme, report["id"]),
    }
    response = acme.http.post(f"/reports/{report['id']}/settle", data=form)
    assert response.status_code == 303
    assert f"The report was {status}." in acme.http.get(response.headers["Location"]).text
    record = acme.record(report["id"])
    assert (record["status"], record["decided_by"]) == (status, by)
    assert record["decision_reason"] == "So & so"
    second = acme.http.post(f"/reports/{report['id']}/settle", data=form)
    assert second.status_code == 409
    assert f"is {status} already, by {by}" in second.text


def test_a_decision_on_an_earlier_content_is_refused_on_the_page(acme: Acme) -> None:
    report = acme.create()
    form = {"decision": "approve", "seen": seen(acme, report["id"])}
    acme.http.patch(f"/approvals/{report['id']}", json={"total_amount": 5000})
    response = acme.http.post(f"/reports/{report['id']}/settle", data=form)
    assert response.status_code == 412
    assert "5,000.00 USD" in response.text
    without = acme.http.post(f"/reports/{report['id']}/settle", data={"decision": "approve"})
    assert without.status_code == 412
    assert acme.record(report["id"])["status"] == "pending"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://HOST"}, 403),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://HOST"}, 303),
        ({}, 303),
    ],
)
def test_forms_of_other_sites_are_refused(acme: Acme, headers: dict[str, str], status: int) -> None:
    report = acme.create()
    host = acme.url.removeprefix("http://")
    form = {"decision": "approve", "seen": seen(acme, report["id"])}
    response = acme.http.post(
        f"/reports/{report['id']}/settle",
        data=form,
        headers={name: value.replace("HOST", host) for name, value in headers.items()},
    )
    assert response.status_code == status
    assert acme.record(report["id"])["status"] == ("approved" if status == 303 else "pending")


def test_get_and_head_never_change_a_report(acme: Acme) -> None:
    report = acme.create()
    for path in ("settle?decision=approve", "edit", ""):
        for method in ("GET", "HEAD"):
            acme.http.request(method, f"/reports/{report['id']}/{path}".rstrip("/"))
    assert acme.record(report["id"]) == report


def test_pages_have_landmarks_labels_and_unique_ids(acme: Acme) -> None:
    report = acme.create()
    for path in ("/", "/new", f"/reports/{report['id']}", f"/reports/{report['id']}/edit", "/x"):
        response = acme.http.get(path)
        page = outline(response)
        assert {"header", "main", "nav", "footer", "h1"} <= page.seen
        assert page.unlabelled == []
        assert len(page.ids) == len(set(page.ids))
        assert "script" not in page.seen
        assert '<html lang="en">' in response.text
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    style = acme.http.get("/static/style.css")
    assert style.status_code == 200
    for needed in ("prefers-color-scheme: dark", ":focus-visible", "max-width"):
        assert needed in style.text


def test_wrong_addresses_show_a_page(acme: Acme) -> None:
    for path, status in (("/x", 404), ("/reports/none", 404), ("/reports", 405), ("/new/", 404)):
        response = acme.http.get(path)
        assert response.status_code == status
        assert response.headers["content-type"].startswith("text/html")
        assert "That did not work" in response.text
    settled = next(row for row in acme.everything(status="approved"))
    assert acme.http.get(f"/reports/{settled['id']}/edit").status_code == 409


def test_faults_are_switched_on_the_page(acme: Acme) -> None:
    form = {
        "latency_ms.on": "1",
        "latency_ms.ms": "20",
        "rate_limit.retry_after_s": "5",
        "malformed_rows.on": "1",
        "malformed_rows.times": "2",
    }
    response = acme.http.post("/switch-faults", data=form)
    assert response.status_code == 303
    on = acme.http.get("/faults").json()
    assert on["latency_ms"]["ms"] == 20
    assert on["malformed_rows"]["times"] == 2
    assert on["rate_limit"] is None
    assert "Faults are switched on:" in acme.http.get("/new").text
    wrong = acme.http.post("/switch-faults", data={"error_500.on": "1", "error_500.times": "x"})
    assert wrong.status_code == 422
    assert "error_500.times" in wrong.text
    assert acme.http.get("/faults").json() == on
    acme.http.post("/switch-faults", data={"reset": "1"})
    assert set(acme.http.get("/faults").json().values()) == {None}


def test_the_list_turns_pages(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Acme(tmp_path_factory.mktemp("pages") / "acme.sqlite3", "--empty") as acme:
        assert "No report matches." in acme.http.get("/").text
        created = [acme.create() for _ in range(51)]
        first, second = acme.http.get("/").text, acme.http.get("/?page=2").text
        assert 'rel="next" href="/?page=2"' in first
        assert f'/reports/{created[0]["id"]}"' not in first
        assert f'/reports/{created[0]["id"]}"' in second
        assert 'rel="next"' not in second
