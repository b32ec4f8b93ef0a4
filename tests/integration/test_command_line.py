"""The command line as people meet it: a register from its first key on, by commands alone."""

import asyncio
import json
import signal
from pathlib import Path

from demo.processes import running_services, wait_live
from demo.waiting import settled
from engines import Engines, LocalEngine
from shared.process.settings import KafkaSettings, Settings
from tests.kit.terminal import REGISTER, Terminal, officer, settings_for


async def test_a_register_from_its_first_key_to_its_verified_lists(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    environment = settings_for(fresh_engines, tmp_path)
    shell = Terminal(environment, tmp_path)
    kafka = KafkaSettings(bootstrap_servers=fresh_engines.bootstrap_servers, partitions=3)

    generated = await shell.run(
        "generate", "--voters", "400", "--partitions", "3", "--out", "stream", "--json"
    )
    made = await shell.run("init", "--out", "register", "--stations", "stream/stations.csv", "--json")
    assert set(made.json["fingerprints"]) >= {"administrator", "signing", "marker"}
    assert "choose another folder" in await shell.told("init", "--out", "register")
    environment["ROLLSTREAM_FOUNDING_OFFICERS"] = made.json["founding_officers"]
    settings = Settings(
        register=REGISTER, kafka=kafka, founding_officers=environment["ROLLSTREAM_FOUNDING_OFFICERS"]
    )

    assert "rollstream topics" in await shell.told("adopt", "--first", "register/adoptions.jsonl")
    assert "rollstream topics" in await shell.told("produce", "stream/events.jsonl")
    assert {state for _, state, _ in (await shell.run("topics", "--json")).json} == {"created"}
    assert {state for _, state, _ in (await shell.run("topics", "--json")).json} == {"ok"}
    others = {"ROLLSTREAM_KAFKA__PARTITIONS": "5", "ROLLSTREAM_KAFKA__REJECTED_RETENTION_DAYS": "30"}
    differing = await Terminal({**environment, **others}, tmp_path).try_("topics", "--json")
    told = {topic: differences for topic, _, differences in differing.json}
    assert differing.code == 1 and told["roll.commands.v1"] == []
    assert told["registration.rejected.v1"] == [
        "partitions: is 3, should be 5",
        "retention.ms: is 7776000000, should be 2592000000",
    ]
    three = {**environment, "ROLLSTREAM_KAFKA__REPLICATION_FACTOR": "3"}
    copies = {tuple(why) for _, _, why in (await Terminal(three, tmp_path).try_("topics", "--json")).json}
    assert copies == {("replication factor: is 1, should be 3",)}
    assert told["registration.events.v1"] == ["partitions: is 3, should be 5"]
    for _ in range(2):  # a second time has no effect: of one id the first message counts
        await shell.run("adopt", "--first", "register/adoptions.jsonl")

    async with running_services(environment, tmp_path / "logs") as services:
        await asyncio.gather(*(wait_live(service, "/health/ready") for service in services.values()))
        sent = await shell.run("produce", "stream/events.jsonl", "--json")
        assert sent.json == {"sent": generated.json["lines"], "skipped": 0}
        again = await shell.run("produce", "stream/events.jsonl", "--json")
        assert again.json == {"sent": 0, "skipped": generated.json["lines"]}
        async with asyncio.timeout(120):
            await settled(settings)

        await _everything_is_found(shell)
        await _dead_letters_are_shown(shell, generated.json["expected"]["dead_lettered"])
        await _officers_decide(shell)
        await _officers_review(shell)
        cut_off = await shell.two("cut-off", "1", by="publisher")
        assert (await shell.verdict(cut_off))["verdict"] == "effective"
        roll = ("finalise", "2027-commune", "--epoch", "1", "--election", "commune_council")
        finalised = await shell.two(*roll, "--day", "2027-06-06", "--undecided", "hold_later", by="publisher")
        assert (await shell.verdict(finalised))["verdict"] == "effective"
        await _published(shell)
    await _lists_verify(shell)


async def _dead_letters_are_shown(shell: Terminal, expected: int) -> None:
    letters = (await shell.run("dlq", "list", "--json")).json
    assert len(letters) == expected > 0
    for letter in letters[:2]:
        found = (await shell.run("dlq", "show", letter["place"], "--json")).json
        assert found["reason"] == letter["reason"] and {"key", "headers", "value"} <= set(found)
    assert letters[0]["reason"] in (await shell.run("dlq", "list")).out
    who = ("--because", "looked at", *officer("administrator"))
    for words in (("show", "0/999999"), ("drop", "0/999999", "--yes", *who)):
        assert "dlq list" in await shell.told("dlq", *words)
    assert {each["state"] for each in letters} == {"open"}

    partition = letters[0]["partition"]
    here = ("--partition", partition)
    of_partition = [each["place"] for each in letters if each["partition"] == partition]
    assert "--yes" in await shell.told("dlq", "drop", *here, *who)
    thief = ("--because", "x", "--officer", "someone", "--key", "register/keys/administrator.pem")
    assert "in force with this key" in await shell.told("dlq", "drop", *here, "--yes", *thief)
    assert (await shell.run("dlq", "list", "--json")).json == letters
    dropped = await shell.run("dlq", "drop", *here, "--yes", "--json", *who)
    assert dropped.json == {"dropped": of_partition, "skipped": {}}
    open_ones = (await shell.run("dlq", "list", "--state", "open", "--json")).json
    assert open_ones == [each for each in letters if each["partition"] != partition]
    assert len((await shell.run("dlq", "list", "--json")).json) == len(letters)

    one = next(each for each in open_ones if each["why_not"] is None)
    replay = ("dlq", "replay", one["place"], "--out-of-order", "--yes", "--json", *who)
    sent = (await shell.run(*replay)).json["sent"]
    assert list(sent) == [one["place"]]
    again = (await shell.run(*replay)).json
    assert again == {"sent": {}, "skipped": {one["place"]: "it was replayed already"}}
    operations = (await shell.run("operations", "--json")).json
    assert (operations["faults"], operations["signatures_checked"]) == (0, True)
    acts = [each["type"].split(".")[-2] for each in operations["acts"]]
    assert acts.count("started") == 3 and acts[-3:] == ["dropped", "replay-begun", "replayed"]
    assert "All 6 hold" in (await shell.run("operations")).out


async def _everything_is_found(shell: Terminal) -> None:
    """What became of an event, by any of its names."""
    lines = (shell.directory / "stream/events.jsonl").read_text().splitlines()
    event = next(each for line in lines if "voter" in (each := json.loads(line)).get("data", {}))
    data = event["data"]
    [of_event, *_] = (await shell.run("find", event["id"], "--kind", "event", "--json")).json
    assert of_event["outcome"] == "accepted" and of_event["registration_id"] == data["registration_id"]
    [of_offset] = (await shell.run("find", of_event["place"], "--json")).json
    assert (of_offset["kind"], of_offset["event_id"]) == ("offset", event["id"])
    [registration] = (await shell.run("find", data["registration_id"], "--json")).json
    assert event["id"] in [each["event_id"] for each in registration["versions"]]
    batch = f"{data['capture']['device']}/{data['capture']['batch']}"
    for name in (batch, data["capture"]["batch"]):
        [found] = (await shell.run("find", name, "--kind", "batch", "--json")).json
        assert data["capture"]["sequence"] in found["received"]
    letter = (await shell.run("dlq", "list", "--json", "--limit", "1")).json[0]["place"]
    assert (await shell.run("find", letter, "--json")).json[0]["outcome"] == "dead_lettered"
    assert "try again" in await shell.told("find", "no-such")
    assert "nothing lies there yet" in (await shell.run("find", "0/9999999")).out
    for each in (await shell.run("find", "--incomplete", "--json")).json:
        assert each["missing"]


async def _officers_review(shell: Terminal) -> None:
    """Two conflicts by one key each, then their approval; a third answer is no longer there."""
    waiting = (await shell.run("status", "--json")).json["conflicts"]["open"]
    words = ("--reason", "looked at both", "--limit", "2", "--json")
    decided = await shell.run("review", *words, *officer("adjudicator"), typed="rd")
    said = [each["said"] for each in decided.json["sent"]]
    assert said == ["keep right", "different"][: min(2, waiting)]
    answered = await shell.run("review", "--approve", *words, *officer("second-officer"), typed="at")
    assert [each["said"] for each in answered.json["sent"]] == ["approve", "take back to its proposer"]
    verdicts = [(await shell.verdict(each["id"]))["verdict"] for each in decided.json["sent"]]
    assert verdicts == ["effective", "returned"]


async def _officers_decide(shell: Terminal) -> None:
    """Two officers settle a conflict and take it back; one alone, or the wrong one, does not."""
    [one, *_] = (await shell.run("status", "--conflicts", "--json")).json["open"]
    keep = one["pair"][0]["registration_id"]
    decide = ("decide", one["_id"][:12], "--reason", "one person", "--keep", keep)
    assert "--different" in await shell.told("decide", one["_id"], "--reason", "x", *officer("adjudicator"))
    assert "status --conflicts" in await shell.told("decide", "no-such", *decide[2:], *officer("adjudicator"))
    wrong = ("decide", one["_id"], "--reason", "x", "--keep", "someone-else")
    assert "keep" in await shell.told(*wrong, *officer("adjudicator"))

    alone = (await shell.run(*decide, *officer("adjudicator"), "--json")).json["id"]
    assert "another officer" in await shell.told("approve", alone, *officer("adjudicator"))
    for unclear in ("no-such", ""):
        assert "rollstream status" in await shell.told("approve", unclear, *officer("second-officer"))
    shown = (await shell.run("status", "--conflicts")).out
    assert alone[:12] in shown and one["_id"][:12] in shown
    told = (await shell.run("status", "--conflict", one["_id"][:12], "--json")).json
    assert told["conflict"]["evidence"] == one["evidence"] and told["decisions"][-1]["_id"] == alone
    assert all(each["current"] and each["voter"]["sex"] for each in told["registrations"])
    assert keep in (await shell.run("status", "--conflict", one["_id"])).out
    approved = await shell.run("approve", alone[:12], "--yes", *officer("second-officer"))
    assert keep in approved.out  # who approves sees what
    assert (await shell.verdict(alone))["verdict"] == "effective"
    reversal = await shell.two("reverse", one["_id"], "--reason", "looked again", by="adjudicator")
    assert (await shell.verdict(reversal))["verdict"] == "effective"

    people = (shell.directory / "stream/truth_people.csv").read_text().splitlines()
    first, second = (line.split(",")[0] for line in people[1:3])
    assert "(no_decision)" in await shell.told(
        "reverse", second, first, "--reason", "undecided", *officer("adjudicator")
    )
    missed = await shell.two("decide", second, first, "--different", "--reason", "met both", by="adjudicator")
    ruling = await shell.verdict(missed)
    assert ruling["verdict"] == "effective"
    assert [each["registration_id"] for each in ruling["data"]["pair"]] == sorted((first, second))
    assert "no-such" in await shell.told("decide", first, "no-such", *decide[2:], *officer("adjudicator"))

    before = (await shell.run("status", "--json")).json["commands"]
    assert "(role)" in await shell.told("cut-off", "1", *officer("adjudicator"))
    assert (await shell.run("status", "--json")).json["commands"] == before


async def _published(shell: Terminal) -> None:
    async with asyncio.timeout(60):
        while [each["state"] for each in (await shell.run("status", "--json")).json["rolls"]] != [
            "published"
        ]:
            pass


async def _lists_verify(shell: Terminal) -> None:
    """What a downstream consumer and a voter do; no service runs any more."""
    key = ("--key", "register/keys/signing.pub.pem")
    # Who lacks the register's key is told, and has lost nothing when it is given.
    told = await shell.told("lists", "--out", "lists", "--once", "--key", "register/keys/publisher.pub.pem")
    assert "by another --key" in told
    followed = await shell.run("lists", "--out", "lists", "--once", *key, "--json")
    assert followed.json == {"versions": [["2027-commune", 1]], "refused": 0}
    report = (await shell.run("verify", "lists", *key, "--json")).json
    assert report["faults"] == [] and report["entries"] > 0
    files = sorted((shell.directory / "lists/2027-commune/1/lists").glob("*.json"))
    [file, content] = next(
        [path, found] for path in files if (found := json.loads(path.read_bytes()))["entries"]
    )
    voter = content["entries"][0]["registration_id"]
    proofs = (await shell.run("verify", "lists", *key, "--voter", voter, "--json")).json["proofs"]
    assert [proof["row"]["registration_id"] for proof in proofs] == [voter]
    [found] = (await shell.run("find", voter, "--kind", "registration", "--json")).json
    assert [(each["station"], each["serial"]) for each in found["lists"]] == [(content["list"]["station"], 1)]
    assert (await shell.try_("verify", "lists", *key, "--voter", "nobody")).code == 1
    content["entries"][0]["sex"] = "male" if content["entries"][0]["sex"] == "female" else "female"
    file.write_text(json.dumps(content))
    forged = await shell.try_("verify", "lists", *key)
    assert forged.code == 1 and "merkle_root" in forged.out


async def test_a_capture_file_that_is_interrupted_goes_on_where_it_was(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    shell = Terminal(settings_for(fresh_engines, tmp_path), tmp_path)
    await shell.run("topics")
    total = 40_000
    (tmp_path / "big.jsonl").write_text(
        "".join(f'{{"specversion":"1.0","id":"{at}"}}\n' for at in range(total))
    )
    bookmark = tmp_path / "big.jsonl.sent"
    process = await shell.start("produce", "big.jsonl")
    async with asyncio.timeout(60):
        while not bookmark.exists():  # noqa: ASYNC110 a file has no event
            await asyncio.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130 and "continues where it stopped" in err.decode()
    before = json.loads(bookmark.read_bytes())["lines"]
    assert 0 < before < total
    rest = await shell.run("produce", "big.jsonl", "--json")
    assert rest.json == {"sent": total - before, "skipped": before}
