import json
import threading
import urllib.error
import urllib.request

import pytest
from synthetic import HEADER, event, geometry, lines, structure

from platonic_ase.report.serve import LogServer


@pytest.fixture
def served(tmp_path):
    opened = []

    def serve(*names):
        server = LogServer([tmp_path / name for name in names])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        opened.append(server)
        return server

    yield serve
    for server in opened:
        server.shutdown()
        server.server_close()


def get(address, **headers):
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        return answer.read().decode("utf-8")


def append(path, *records):
    with path.open("a") as stream:
        stream.write(lines(*records))


def test_new_records_are_served(served, tmp_path):
    log = tmp_path / "run.jsonl"
    server = served("run.jsonl")
    assert "Empty run" in get(server.address)  # nothing written yet
    append(log, HEADER, structure(), geometry(0))
    assert json.loads(get(server.address + "0/data"))["geometries"] == 1
    append(log, geometry(1, events=[event(1)]))
    news = json.loads(get(server.address + "0/data"))
    assert (news["geometries"], news["events"], news["kind"]) == (2, 1, "alarm")
    assert "scene" not in json.loads(get(f"{server.address}0/data?{news['version']}"))


@pytest.mark.parametrize("path", ["", "x/", "../", "0/data"])
def test_nothing_without_the_token(served, path):
    server = served("run.jsonl")
    root = server.address.replace(server.token + "/", "")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(root + path)


def test_nothing_for_a_name_from_elsewhere_and_only_on_this_machine(served):
    server = served("run.jsonl")
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(server.address, Host="evil.example")


def test_no_writing(served):
    server = served("run.jsonl")
    with pytest.raises(urllib.error.HTTPError, match="501"):
        urllib.request.urlopen(server.address, data=b"x")


def test_many_runs_are_listed(served, tmp_path):
    append(tmp_path / "a.jsonl", HEADER, geometry(0))
    append(tmp_path / "<b>.jsonl", HEADER)
    text = get(served("a.jsonl", "<b>.jsonl").address)
    assert '<a href="0/">a.jsonl</a>' in text
    assert "&lt;b&gt;.jsonl" in text
    assert "running" in text
