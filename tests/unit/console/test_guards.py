"""What the console refuses: strangers, other roles, other areas, forms that are not its own."""

import re
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.console.app import rules
from services.console.guard import MOST_BYTES
from services.console.limits import TRIES
from services.console.web import Rule
from shared.contracts.commands import CommandType
from tests.kit.console_kit import PASSWORD, ROLES, Scene


def path_of(rule: Rule, conflict: str, proposal: str) -> str:
    parts = {"/conflicts/": conflict, "/proposals/": proposal}
    found = next((name for start, name in parts.items() if rule.path.startswith(start)), "x")
    return re.sub(r"{\w+}", found, rule.path)


async def proposal_on(scene: Scene, conflict: str) -> str:
    async with scene.browser("adjudicator") as one:
        await one.get(f"/conflicts/{conflict}")
        await one.post(f"/conflicts/{conflict}/decide", answer="left", reason="seen")
    scene.console.casework.follow(scene.feed.state)
    return next(iter(scene.console.casework.open_proposals(scene.feed.state))).ce_id


async def test_without_a_session_every_page_and_act_leads_to_the_door(scene: Scene) -> None:
    conflict = scene.store.conflict("a", "b")
    everything = rules(scene.console)
    assert len(everything) > 12
    async with scene.browser() as nobody:
        for rule in everything:
            path = path_of(rule, conflict, "x")
            answer = await nobody.client.request("POST" if rule.act else "GET", path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in"), path
    assert scene.sent() == []


@pytest.mark.parametrize("name", ["viewer", *ROLES])
async def test_nobody_gets_past_a_rule_that_does_not_name_their_role(scene: Scene, name: str) -> None:
    conflict = scene.store.conflict("a", "b")
    proposal = await proposal_on(scene, conflict)
    sent = len(scene.sent())
    roles = {"viewer", *ROLES.get(name, ())}
    async with scene.browser(name) as browser:
        csrf = browser.csrf
        for rule in rules(scene.console):
            may_see = not rule.people or roles & {"adjudicator", "approver"}
            if (not rule.roles or roles & set(rule.roles)) and may_see:
                continue
            path = path_of(rule, conflict, proposal)
            data = {"csrf": csrf, "reason": "x", "answer": "left"}
            answer = await browser.client.request("POST" if rule.act else "GET", path, data=data)
            assert answer.status_code == 403, path
    assert len(scene.sent()) == sent


async def test_an_act_without_this_sessions_token_does_nothing(scene: Scene) -> None:
    conflict = scene.store.conflict("a", "b")
    async with scene.browser("adjudicator") as one, scene.browser("both") as other:
        decide = f"/conflicts/{conflict}/decide"
        await one.get(f"/conflicts/{conflict}")
        for csrf in ("", "x", other.csrf):
            answer = await one.post(decide, csrf=csrf, answer="left", reason="seen")
            assert answer.status_code == 403
            await one.get("/")
        fields = {"csrf": one.csrf, "answer": "left", "reason": "seen"}
        for headers in ({"origin": "http://evil.test"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
            answer = await one.client.post(decide, data=fields, headers=headers)
            assert answer.status_code == 403
        answer = await one.client.post(decide, json=fields)
        assert answer.status_code == 403
        assert (await one.client.get(decide)).status_code == 405
        assert scene.sent() == []
        await one.client.post(decide, data=fields, headers={"origin": "http://console.test"})
    assert scene.sent() == [CommandType.DECIDED]


async def test_a_cookie_of_ones_own_making_is_nobodys(scene: Scene) -> None:
    async with scene.browser("adjudicator") as one:
        token = one.client.cookies["rollstream"]
        for forged in ("", "x", token[:-1] + ("A" if token[-1] != "A" else "B"), token * 50):
            one.client.cookies.clear()
            one.client.cookies.set("rollstream", forged)
            assert (await one.client.get("/")).headers["location"] == "/sign-in"


async def test_signing_in_takes_no_session_that_the_browser_brings(scene: Scene) -> None:
    async with scene.browser() as one:
        one.client.cookies.set("rollstream", "fixed", domain="console.test", path="/")
        await one.sign_in("adjudicator")
        assert one.client.cookies.get("rollstream", domain="console.test") != "fixed"
        first = one.client.cookies.get("rollstream", domain="console.test")
        await one.sign_in("adjudicator")
        assert one.client.cookies.get("rollstream", domain="console.test") != first
        assert len(scene.console.sessions.names()) == 1
        one.client.cookies.clear()
        one.client.cookies.set("rollstream", first or "")
        assert (await one.client.get("/")).headers["location"] == "/sign-in"


async def test_a_session_ends_with_sign_out_and_with_its_line_in_the_file(scene: Scene) -> None:
    async with scene.browser("adjudicator") as one, scene.browser("approver") as two:
        token = one.client.cookies["rollstream"]
        await one.get("/")
        await one.post("/sign-out")
        one.client.cookies.set("rollstream", token)
        assert (await one.client.get("/")).headers["location"] == "/sign-in"
        scene.add_user("approver", ("viewer",))
        assert (await two.client.get("/")).headers["location"] == "/sign-in"


async def test_another_areas_conflict_is_neither_shown_nor_decided(scene: Scene) -> None:
    mine, theirs = scene.store.conflict("a", "b"), scene.store.conflict("a", "c")
    async with scene.browser("north") as north:
        await north.get("/conflicts")
        assert mine in north.text and theirs not in north.text
        answer = await north.get(f"/conflicts/{theirs}")
        assert answer.status_code == 403 and "SOK" not in north.text
        answer = await north.post(f"/conflicts/{theirs}/decide", answer="left", reason="seen")
        assert answer.status_code == 403
        await north.get("/conflicts")
        await north.post("/bulk/propose", id=[theirs], answer="different", reason="seen")
        assert scene.sent() == []
        await north.get("/conflicts")
        await north.post("/bulk/propose", id=[mine], answer="different", reason="seen")
    assert scene.sent() == [CommandType.DECIDED]


async def test_areas_in_the_users_file_narrow_those_of_the_log(scene: Scene) -> None:
    theirs = scene.store.conflict("a", "c")
    scene.add_user("adjudicator", ("adjudicator",), "adjudicator", areas=["02"])
    async with scene.browser("adjudicator") as one:
        assert (await one.get(f"/conflicts/{theirs}")).status_code == 403
        answer = await one.post(f"/conflicts/{theirs}/decide", answer="left", reason="seen")
        assert answer.status_code == 403
        answer = await one.post(f"/conflicts/{theirs}/reverse", reason="seen")
        assert answer.status_code == 403
        await one.get("/conflicts")
        await one.post("/bulk/propose", id=[theirs], answer="different", reason="seen")
    assert scene.sent() == [], "the log would have allowed it"


async def test_another_areas_proposal_is_not_approved(scene: Scene) -> None:
    proposal = await proposal_on(scene, scene.store.conflict("a", "c"))
    async with scene.browser("northern") as northern:
        assert (await northern.get(f"/proposals/{proposal}")).status_code == 403
        await northern.get("/proposals")
        answer = await northern.post(f"/proposals/{proposal}/approve", reason="yes")
        assert answer.status_code == 403
        await northern.get("/proposals")
        await northern.post("/proposals/approve", id=[proposal], answer="approve", reason="yes")
    assert scene.sent() == [CommandType.DECIDED]


async def test_nobody_approves_their_own(scene: Scene) -> None:
    conflict = scene.store.conflict("a", "b")
    async with scene.browser("both") as both:
        await both.get(f"/conflicts/{conflict}")
        await both.post(f"/conflicts/{conflict}/decide", answer="right", reason="seen")
        scene.console.casework.follow(scene.feed.state)
        [proposal] = scene.console.casework.open_proposals(scene.feed.state)
        await both.get(f"/proposals/{proposal.ce_id}")
        assert "/approve" not in both.text
        answer = await both.post(f"/proposals/{proposal.ce_id}/approve", reason="yes")
        assert answer.status_code == 403
        await both.get("/proposals")
        await both.post("/proposals/approve", id=[proposal.ce_id], answer="approve", reason="yes")
    assert scene.sent() == [CommandType.DECIDED]


async def test_a_key_that_the_log_does_not_know_signs_nothing(scene: Scene) -> None:
    conflict = scene.store.conflict("a", "b")
    scene.add_user("adjudicator", ("adjudicator",), "adjudicator", key="stranger")
    async with scene.browser("adjudicator") as one:
        assert "You have no role that is in force." in one.text
        assert (await one.get(f"/conflicts/{conflict}")).status_code == 403


async def test_a_large_form_is_not_read(scene: Scene) -> None:
    async with scene.browser("adjudicator") as one:
        big = {"csrf": one.csrf, "reason": "x" * MOST_BYTES}
        assert (await one.client.post("/conflicts/x/decide", data=big)).status_code == 413

        async def pieces() -> Any:
            for _ in range(MOST_BYTES // 1024 + 2):
                yield b"x" * 1024

        answer = await one.client.post("/conflicts/x/decide", content=pieces())
        assert answer.status_code == 413
        many = "&".join("id=1" for _ in range(1_000))
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = await one.client.post("/bulk", content=f"csrf={one.csrf}&{many}", headers=form)
        assert answer.status_code == 403


async def test_passwords_cannot_be_guessed_fast(scene: Scene) -> None:
    async with scene.browser() as one:
        for _ in range(TRIES):
            answer = await one.sign_in("approver", "wrong" * 4)
            assert answer.status_code == 403 and "Name or password is wrong." in one.text
        answer = await one.sign_in("approver")
        assert answer.status_code == 429
        assert (await one.sign_in("nobody", "x" * 20)).status_code == 403


async def test_requests_from_one_address_are_limited(tmp_path: Path) -> None:
    scene = Scene(tmp_path, own={"requests_a_minute": 10})
    async with scene.browser() as one:
        found = [(await one.client.get("/sign-in")).status_code for _ in range(12)]
    assert found == [200] * 10 + [429] * 2


async def test_every_answer_carries_the_headers_that_keep_a_page_to_itself(scene: Scene) -> None:
    async with scene.browser("adjudicator") as one:
        await one.get("/")
        pages = [await one.client.get(each) for each in ("/", "/sign-in", "/nowhere", "/conflicts/x")]
        assert [each.status_code for each in pages] == [200, 200, 404, 404]
        for each in pages:
            policy = each.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
            assert each.headers["x-content-type-options"] == "nosniff"
            assert each.headers["cache-control"] == "no-store"
            assert not re.search(r"""<script(?! src="/static)|\son\w+=|\sstyle=|javascript:""", each.text)


async def test_the_cookie_is_the_servers_and_this_sites_alone(tmp_path: Path) -> None:
    scene = Scene(tmp_path, own={"secure_cookie": True})
    async with scene.browser() as one:
        await one.get("/sign-in")
        one.client.cookies.clear()
        one.client.cookies.set("rollstream-form", "x")
        fields = {"csrf": "x", "name": "viewer", "password": PASSWORD}
        answer = await one.client.post("/sign-in", data=fields)
    [cookie] = [
        each for each in answer.headers.get_list("set-cookie") if each.startswith("__Host-rollstream=")
    ]
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= {each.strip() for each in cookie.split(";")}
    assert "strict-transport-security" in answer.headers


async def test_a_language_is_chosen_and_leads_nowhere_else(scene: Scene) -> None:
    async with scene.browser("adjudicator") as one:
        for path, target in (("//evil.test", "/"), ("https://evil.test", "/"), ("/conflicts", "/conflicts")):
            answer = await one.client.post("/language", data={"language": "km", "path": path})
            assert answer.headers["location"] == target
        await one.get("/conflicts")
        assert '<html lang="km">' in one.text and "ករណីស្ទួន" in one.text


NASTY = "<img src=x onerror=alert(1)>\"'{{7*7}}\u202eKOS\x1b[31m"


async def test_a_name_is_text_whatever_is_in_it(scene: Scene) -> None:
    scene.store.register("d", "4", voter__family_name__latin=NASTY)
    conflict = scene.store.conflict("a", "d")
    async with scene.browser("adjudicator") as one:
        await one.get(f"/conflicts/{conflict}")
        assert one.page is not None
        assert "<img" not in one.page.text and "onerror=alert(1)&gt;" in one.page.text.replace("<mark>", "")
        assert not {"\u202e", "\x1b"} & set(one.page.text)


async def test_neither_logs_nor_addresses_name_a_person(scene: Scene) -> None:
    conflict = scene.store.conflict("a", "b")
    with capture_logs() as logs:
        async with scene.browser("adjudicator") as one:
            await one.get("/conflicts")
            await one.get(f"/conflicts/{conflict}")
            await one.post(f"/conflicts/{conflict}/decide", answer="left", reason="seen")
            await one.sign_in("adjudicator", "wrong" * 4)
            links = re.findall(r'(?:href|action)="([^"]*)"', one.text)
    assert logs
    for secret in ("SOK", "adjudicator", "seen", PASSWORD, "010203040"):
        assert secret not in repr(logs) and not any(secret in link for link in links)
