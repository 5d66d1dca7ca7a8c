"""The page for people over a real socket: the way in and out, forms that only work from here, what it shows."""

import html
import os
import re
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from sftp_gateway import brake
from sftp_gateway.store import expiry, tables, tokens, uploads
from sftp_gateway.upload import Mode, State
from tests.web_scene import populate


@pytest.fixture
def web(scene):
    # Nothing here is HTTPS, and loading certificates takes 50 ms for each client.
    with (
        scene.serve() as url,
        httpx.Client(base_url=url, headers={"Accept": "text/html", "Origin": url}, verify=False) as client,
    ):
        yield client


def sign_in(web, secret, onward="/"):
    return web.post("/login", params={"onward": onward}, data={"token": secret})


def press(web, page, action):
    """Send the form with this action as the page has it."""
    fields = re.search(rf'action="{action}"><input type="hidden" name="form_token" value="(\w+)"', page.text)
    return web.post(action, data={"form_token": fields[1]})


def words(page):
    text = re.sub(r"<(style|svg|head)\b.*?</\1>|<[^>]+>", " ", page.text, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


# In and out


def test_the_way_in_is_the_page_itself_and_leads_where_one_wanted_to_go(scene, web):
    item = scene.receive()
    door = web.get(f"/uploads/{item.id}")
    assert door.status_code == 401
    assert f'action="/login?onward=/uploads/{item.id}"' in door.text
    answer = sign_in(web, scene.token(), f"/uploads/{item.id}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/uploads/{item.id}")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert web.get(f"/uploads/{item.id}").status_code == 200
    assert press(web, web.get("/"), "/logout").status_code == 303
    assert web.get("/").status_code == 401


def test_a_copy_of_a_cookie_is_worth_nothing_after_its_session_signed_out_and_another_session_goes_on(scene, web):
    secret = scene.token()
    url = str(web.base_url)
    other = {"Cookie": f"session={sign_in(web, secret).cookies['session']}"}
    web.cookies.clear()
    copy = {"Cookie": f"session={sign_in(web, secret).cookies['session']}"}
    assert [httpx.get(url, headers=kept, verify=False).status_code for kept in (copy, other)] == [200, 200]
    assert press(web, web.get("/"), "/logout").status_code == 303
    assert [httpx.get(url, headers=kept, verify=False).status_code for kept in (copy, other)] == [401, 200]


def test_a_cookie_of_a_public_address_is_for_https_only(scene):
    with scene.serve(public_url="https://gateway.example.com") as url:
        origin = {"Origin": "https://gateway.example.com"}
        answer = httpx.post(f"{url}/login", data={"token": scene.token()}, headers=origin, verify=False)
    assert answer.headers["set-cookie"].startswith("__Host-session=")
    assert "; Secure" in answer.headers["set-cookie"]
    assert "Path=/" in answer.headers["set-cookie"]


def test_a_wrong_token_is_told_and_never_echoed(scene, web):
    answer = sign_in(web, "sg_guess-<b>")
    assert answer.status_code == 401
    assert "unknown or has expired" in answer.text
    assert "guess" not in answer.text
    assert "set-cookie" not in answer.headers


def test_the_way_in_never_leads_to_another_host(scene, web):
    secret = scene.token()
    for onward in ("https://evil.example", "//evil.example", "/\\evil.example", "evil", "", "/\t/evil.example"):
        assert sign_in(web, secret, onward).headers["location"] in ("/", "/%09/evil.example"), onward


def test_a_session_ends_after_twelve_hours_and_with_its_token(scene, web, clock):
    sign_in(web, scene.token())
    clock.jump(12 * 3600 - 1)
    assert web.get("/").status_code == 200
    clock.jump(2)
    assert web.get("/").status_code == 401
    sign_in(web, scene.token("second"))
    assert web.get("/").status_code == 200
    tokens.remove(scene.store, "second")
    assert web.get("/").status_code == 401
    clock.jump(1)
    scene.token("second")  # a new token of that name is not the old one
    assert web.get("/").status_code == 401


def test_a_session_that_is_not_signed_by_us_is_none(scene, web):
    sign_in(web, scene.token())
    value = web.cookies["session"]
    for forged in (
        value[:-1] + ("0" if value[-1] != "0" else "1"),
        "x" + value,
        value.partition(".")[0],
        ".",
        "",
        "\xe4.b",
    ):
        web.cookies.clear()
        headers = {"Cookie": b"session=" + forged.encode("latin-1")}
        assert web.get("/", headers=headers).status_code == 401, forged


def test_sessions_outlive_a_restart_where_the_key_is_kept(scene):
    key = b"k" * 32
    with (
        scene.serve(session_key=key) as url,
        httpx.Client(base_url=url, headers={"Origin": url}, verify=False) as client,
    ):
        cookie = sign_in(client, scene.token()).cookies["session"]
    with scene.serve(session_key=key) as url:
        assert httpx.get(url, cookies={"session": cookie}, verify=False).status_code == 200
    with scene.serve() as url:
        assert httpx.get(url, cookies={"session": cookie}, verify=False).status_code == 401


def test_a_session_reads_files_but_writes_only_through_the_page(scene, web):
    item = scene.finish(scene.receive(), State.REFUSED, files={"catalog.csv.1.errors.csv": b"why"})
    sign_in(web, scene.token())
    assert web.get(f"/api/v1/brands/acme/uploads/{item.id}/files/catalog.csv.1.errors.csv").content == b"why"
    assert web.post(f"/api/v1/brands/acme/uploads/{item.id}/retry").status_code == 401
    assert web.post("/api/v1/brands/acme/uploads?name=a.csv", content=b"x").status_code == 401


# Forms


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://[x]/", "//", "http://\\xff"])
def test_an_origin_that_is_no_address_is_refused_and_no_fault_of_ours(scene, web, caplog, origin):
    answer = web.post("/login", data={"token": scene.token()}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("path", ["/", "/login", "/api/v1/brands/acme/uploads"])
def test_a_host_that_is_no_address_is_no_fault_of_ours(web, path, caplog):
    answers = [web.request(verb, path, headers={"Host": "[", "Origin": "http://["}) for verb in ("GET", "POST")]
    assert all(400 <= answer.status_code < 500 for answer in answers), answers
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_forms_that_do_not_come_from_the_page_are_refused(scene, web):
    item = scene.finish(scene.receive(), State.HELD, reasons=[{"code": "price_move", "text": "prices moved"}])
    sign_in(web, scene.token())
    page = web.get(f"/uploads/{item.id}")
    token = re.search(r'name="form_token" value="(\w+)"', page.text)[1]
    url = f"/uploads/{item.id}/approve"
    refused = [
        web.post(url, data={}),
        web.post(url, data={"form_token": "0" * 64}),
        web.post(url, data={"form_token": token}, headers={"Origin": "https://evil.example"}),
        web.post(url, data={"form_token": token}, headers={"Origin": "null"}),
        web.post(url, data={"form_token": token}, headers={"Sec-Fetch-Site": "cross-site"}),
        web.post(url, data={"form_token": token}, headers={"Sec-Fetch-Site": "same-site"}),
        httpx.post(web.base_url.join(url), data={"form_token": token}, cookies=dict(web.cookies), verify=False),
        web.post(url, data={"form_token": token, "more": "x" * 20_000}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 7 + [413]
    said = [words(answer) for answer in refused[:7]]
    assert all("This form does not count" in text and "load it again" in text for text in said)
    assert not any("token" in text for text in said)  # which was to be another one, it said
    assert uploads.get(scene.store, item.id).state is State.HELD
    assert press(web, page, url).status_code == 303
    assert uploads.get(scene.store, item.id).state is State.RECEIVED


@pytest.mark.parametrize(
    ("mode", "would"),
    [
        (Mode.FULL, "“Approve” makes this file the catalog"),
        (Mode.PARTIAL, "“Approve” puts these rows into the catalog, where all other products stay"),
        (Mode.CORRECTION, "“Approve” makes live what is shown above, if"),
    ],
)
def test_a_held_file_says_what_approving_it_would_do(scene, web, mode, would):
    reasons = [{"code": "price_move", "text": "prices moved"}]
    item = scene.finish(scene.receive(mode=mode), State.HELD, reasons=reasons)
    sign_in(web, scene.token())
    said = words(web.get(f"/uploads/{item.id}"))
    assert would in said
    assert "Nothing of it is live yet" in said


def test_what_approving_a_held_file_would_remove_is_said(scene, web):
    reasons = [{"code": "removals_withheld", "text": "3,900 products are not in this file"}]
    item = scene.finish(scene.receive(), State.HELD, reasons=reasons, withheld=3_880, changes={"removed": 20})
    sign_in(web, scene.token())
    assert "and removes 3,900 products that are not in it" in words(web.get(f"/uploads/{item.id}"))


def test_a_finding_about_the_whole_file_has_no_value_and_not_an_empty_one(scene, web):
    samples = [{"row": row, "key": "", "value": "", "message": "it lacks this"} for row in (None, 7)]
    findings = [
        {"code": code, "severity": "warning", "column": "brand", "rule": None, "count": 1, "samples": [sample]}
        for code, sample in zip(("FILE_FORMAT", "FIELD_REQUIRED"), samples, strict=True)
    ]
    item = scene.finish(scene.receive(), State.REFUSED, findings=findings)
    sign_in(web, scene.token())
    assert web.get(f"/uploads/{item.id}").text.count('<span class="soft">empty</span>') == 1


def test_the_page_approves_refuses_and_retries(scene, web):
    ids = populate(scene)
    sign_in(web, scene.token())
    assert press(web, web.get(f"/uploads/{ids['held']}"), f"/uploads/{ids['held']}/refuse").status_code == 303
    page = web.get(f"/uploads/{ids['held']}")
    assert "Refused, by ops" in words(page)
    again = press(web, page, f"/uploads/{ids['held']}/retry")
    assert re.fullmatch(r"/uploads/\d+", again.headers["location"])
    assert f"made from #{ids['held']}" in words(web.get(again.headers["location"]))
    page = web.get(f"/uploads/{ids['withheld']}")
    assert "1,220 removals wait for your decision" in words(page)
    assert "Removals on hold" in words(page)
    assert press(web, page, f"/uploads/{ids['withheld']}/refuse").status_code == 303
    page = web.get(f"/uploads/{ids['withheld']}")
    assert "Removals withheld" in words(page) and "on hold" not in words(page)
    assert "wait for your decision" not in words(page)
    assert "Removals refused: the products stay, by ops" in words(page)
    conflict = web.post(
        f"/uploads/{ids['first']}/approve", data={"form_token": re.search(r'value="(\w{64})"', page.text)[1]}
    )
    assert (conflict.status_code, "nothing to approve" in conflict.text) == (409, True)
    assert f'href="/uploads/{ids["first"]}"' in conflict.text


def test_nobody_approves_what_another_persons_approval_has_had_held_for_other_reasons(scene, web, clock):
    def held(code):
        clock.jump(1)
        scene.finish(item, State.HELD, reasons=[{"code": code, "text": code}])

    item = scene.receive()
    held("price_move")
    sign_in(web, scene.token())
    mine = web.get(f"/uploads/{item.id}").text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', mine))
    uploads.approve(scene.store, item.id, "another person")
    held("removals_withheld")
    late = web.post(f"/uploads/{item.id}/approve", data=fields)
    assert (late.status_code, "checked again since this page was loaded" in words(late)) == (409, True)
    assert uploads.get(scene.store, item.id).state is State.HELD
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', web.get(f"/uploads/{item.id}").text))
    assert web.post(f"/uploads/{item.id}/approve", data=fields).status_code == 303


def test_a_read_only_token_sees_no_buttons_and_can_press_none(scene, web):
    ids = populate(scene)
    sign_in(web, scene.token("viewer", read_only=True))
    page = web.get(f"/uploads/{ids['held']}")
    assert "/approve" not in page.text
    token = re.search(r'name="form_token" value="(\w+)"', page.text)[1]
    assert web.post(f"/uploads/{ids['held']}/approve", data={"form_token": token}).status_code == 403


# What it shows


def test_the_history_says_states_in_plain_words(scene, web):
    ids = populate(scene)
    sign_in(web, scene.token())
    page = web.get("/")
    for text in ("Waiting", "Checking", "Live, removals on hold", "Live, 3 rows left out", "Our fault", "On hold", "Test run",
                 "Refused", "Nothing changed", "new-skus.csv of bolt waits for a decision"):  # fmt: skip
        assert text in words(page), text
    assert f'href="/api/v1/brands/acme/uploads/{ids["published"]}/files/prices-nov.csv.7.corrections.csv"' in page.text
    assert "accepted.parquet" not in page.text
    assert len(page.content) < 30_000
    held = web.get("/?brand=bolt&state=held")
    assert held.text.count('<th scope="row"') == 1
    assert "No upload is like that" in web.get("/?brand=acme&state=failed").text
    assert web.get("/?state=nonsense").status_code == 400
    assert web.get("/?brand=nobody").status_code == 404


def test_the_history_tells_that_more_than_one_file_waits_for_a_decision(scene, web):
    def waits(query=""):
        return [line for line in re.findall(r'role="status">(.*?)</div>', web.get(f"/{query}").text) if "wait" in line]

    sign_in(web, scene.token())
    for brand in ("acme", "acme", "bolt"):
        scene.finish(scene.receive(brand.encode(), brand=brand, path="partial/odd.csv", mode=Mode.PARTIAL), State.HELD)
    assert len(web.get("/?state=held").text.split('<th scope="row"')) == 4
    assert 'href="/?state=held"' in waits()[0]
    assert 'href="/?brand=acme&amp;state=held"' in waits("?brand=acme")[0]
    assert "state=held" not in waits("?brand=bolt")[0]
    assert "state=held" not in waits("?state=held")[0]


def test_what_was_refused_before_its_bytes_came_cannot_be_tried_again(scene, web):
    sign_in(web, scene.token())
    read = scene.receive()
    scene.finish(read, State.REFUSED)
    assert f"/uploads/{read.id}/retry" in web.get(f"/uploads/{read.id}").text
    new = uploads.New(Mode.FULL, "errors/x.csv", "", 0, "sftp", complete=False, received_at=scene.store.now())
    gone = uploads.receive(scene.store, "acme", new)
    scene.finish(gone, State.REFUSED)
    assert "Refused" in words(web.get(f"/uploads/{gone.id}"))
    assert "/retry" not in web.get(f"/uploads/{gone.id}").text


def test_what_is_past_its_time_cannot_be_tried_again(scene, web):
    sign_in(web, scene.token())
    item = scene.finish(scene.receive(), State.REFUSED)
    assert f"/uploads/{item.id}/retry" in web.get(f"/uploads/{item.id}").text
    expiry.sources(scene.store, scene.store.now() + timedelta(days=1))
    assert "/retry" not in web.get(f"/uploads/{item.id}").text


def test_a_page_is_shown_without_the_changes_that_cannot_be_read(scene, web):
    sign_in(web, scene.token())
    item = scene.finish(scene.receive())
    assert "Enamel mug, blue" in words(web.get(f"/uploads/{item.id}"))
    scene.files.delete("catalog", "acme/1.changes.csv")
    page = web.get(f"/uploads/{item.id}")
    assert page.status_code == 200
    assert "Changed products They cannot be shown at this moment: where" in words(page)
    blob = scene.root / "catalog" / "acme" / "1.changes.csv"
    blob.parent.mkdir(exist_ok=True)
    os.mkfifo(blob)  # as from a bucket that does not answer: who opens it waits for the other end
    page = web.get(f"/uploads/{item.id}", timeout=20)
    os.close(os.open(blob, os.O_RDWR))
    assert "Changed products They cannot be shown at this moment: where" in words(page)


def test_the_history_leads_to_no_file_that_was_removed_after_its_time(scene, web):
    for name in ("old.csv", "new.csv"):
        item = scene.receive(path=f"inbox/{name}")
        scene.finish(item, State.REFUSED, files={f"{name}.{item.id}.errors.csv": b"x"})
    now = scene.store.now()
    with scene.store.write() as tx:
        early = sa.update(tables.file).where(tables.file.c.upload == 1)
        tx.conn.execute(early.values(created_at=now - timedelta(days=91)))
    expiry.results(scene.store, now - timedelta(days=90))
    sign_in(web, scene.token())
    assert re.findall(r"/files/([^\"]+)", web.get("/").text) == ["new.csv.2.errors.csv"]


def test_one_pages_to_older_and_back_to_the_newest(scene, web):
    for n in range(60):
        scene.receive(f"{n}".encode())
    sign_in(web, scene.token())
    page, seen = web.get("/?brand=acme"), []
    while True:
        seen += re.findall(r'<a href="/uploads/(\d+)">', page.text)
        older = re.search(r'href="([^"]+)" rel="next"', page.text)
        if older is None:
            break
        page = web.get(html.unescape(older[1]))
    assert [int(n) for n in seen] == list(range(60, 0, -1))
    newest = re.search(r'href="([^"]+)" rel="first"', page.text)
    assert re.findall(r'<a href="/uploads/(\d+)">', web.get(html.unescape(newest[1])).text) == seen[:25]


def test_no_link_of_the_history_leads_to_the_host_that_a_stranger_names(scene, web):
    for n in range(60):
        scene.receive(f"{n}".encode())
    sign_in(web, scene.token())
    named = {"Host": "evil.example"}
    first = web.get("/?brand=acme", headers=named)
    older = re.search(r'href="([^"]+)" rel="next"', first.text)[1]
    again = re.search(r'href="([^"]+)">Look again', first.text)[1]
    newest = re.search(r'href="([^"]+)" rel="first"', web.get(html.unescape(older), headers=named).text)[1]
    assert (older, again, newest) == ("/?brand=acme&amp;before=36", "/?brand=acme", "/?brand=acme")


def test_a_person_of_a_brand_sees_that_brand_only(scene, web):
    ids = populate(scene)
    sign_in(web, scene.token("anna", brand="acme"))
    page = web.get("/")
    assert "bolt" not in page.text
    assert "Version 3 of the catalog is live." in words(page)
    assert web.get(f"/uploads/{ids['failed']}").status_code == 404
    assert "bolt" not in web.get("/?brand=bolt").text


@pytest.mark.parametrize("name", ["nobody", "a%00b"])
def test_the_history_of_no_brand_is_not_there(scene, web, caplog, name):
    sign_in(web, scene.token())
    assert web.get(f"/?brand={name}").status_code == 404
    assert "Exception" not in caplog.text


def test_an_empty_history_says_how_to_send_a_file(scene, web):
    sign_in(web, scene.token("anna", brand="acme"))
    assert "sftp -P 2222 acme@sftp.example.com" in words(web.get("/"))


def test_a_detail_tells_the_outcome_why_and_what_to_do(scene, web):
    ids = populate(scene)
    sign_in(web, scene.token())
    text = words(web.get(f"/uploads/{ids['published']}"))
    for part in (
        "412 of 415 rows are live as version 2; 3 rows need fixing.",
        "Check the number on the package, or leave the cell empty.",
        "4006381333932",
        "311",
        "Enamel mug, blue",
        "Enamel mug sky blue",
        "A new product",
        "Went live as version 2",
        "Corrections",
        "sftp from 192.0.2.7",
    ):
        assert part in text, part
    refused = words(web.get(f"/uploads/{ids['refused']}"))
    assert "Nothing was taken from this file. The header has 25 names" in refused
    assert "Add the missing comma in the header row." in refused
    assert "as a real file this would end as “live”" in words(web.get(f"/uploads/{ids['tested']}"))


def test_pages_look_again_by_themselves_only_while_something_moves(scene, web):
    ids = populate(scene)
    sign_in(web, scene.token())
    moving = web.get(f"/uploads/{ids['processing']}")
    assert 'http-equiv="refresh"' in moving.text
    assert '<progress id="progress" max="1" value="0.62">' in moving.text
    assert 'http-equiv="refresh"' not in web.get(f"/uploads/{ids['processing']}?still").text
    assert 'http-equiv="refresh"' not in web.get(f"/uploads/{ids['published']}").text


def test_what_senders_write_is_text_and_never_markup(scene, web):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>.csv"
    item = scene.finish(
        scene.receive(path=f"inbox/{evil}"),
        State.REFUSED,
        reasons=[{"code": "X", "text": evil}],
        findings=[
            {"code": "FIELD_TYPE", "severity": "error", "column": evil, "rule": evil, "count": 1,
             "samples": [{"row": 1, "key": evil, "value": evil, "message": evil, "suggestion": evil}]},
        ],
    )  # fmt: skip
    sign_in(web, scene.token())
    for path in ("/", f"/uploads/{item.id}", f"/?state=%22%3E{evil.replace('/', '%2F')}", f"/{evil}"):
        page = web.get(path)
        assert "<script" not in page.text, path
        assert "<img" not in page.text, path


def test_every_answer_carries_the_headers_that_keep_browsers_calm(scene, web):
    sign_in(web, scene.token())
    for path in ("/", "/uploads/999", "/api/v1/status", "/livez", "/static/style.css", "/nothing"):
        headers = web.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'"), path
        assert "script" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == ("max-age=3600" if "static" in path else "no-store")
        assert "server" not in headers
    assert "<script" not in web.get("/").text
    assert "style=" not in web.get("/").text


def test_the_brake_forgets_and_counts_by_network():
    now = [0.0]
    slow = brake.Brake(tries=2, seconds=60, clock=lambda: now[0])
    for source in ("2001:db8::1", "2001:db8::2", "192.0.2.1"):
        slow.refused(source)
    assert [slow.waits(source) for source in ("192.0.2.1", "2001:db8::99", "2001:db8:0:1::1")] == [0, 61, 0]
    now[0] = 61.0
    assert slow.waits("2001:db8::1") == 0
    for number in range(12_000):
        slow.refused(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(slow._refused) == brake.REMEMBERED_SOURCES
