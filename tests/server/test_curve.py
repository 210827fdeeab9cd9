"""Other computers: encrypted, and only for keys that lie in the folder."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
import zmq.auth
from hmdiff import cli
from hmdiff_wire.codec import decode, encode
from hmdiff_wire.messages import Error, Hello, JobDone, Ping, Pong, Submit, Welcome
from hmdiff_wire.packing import from_packet, to_packet


@pytest.fixture
def keys(tmp_path: Path, capsys) -> Path:
    folder = tmp_path / "keys"
    assert cli.main(["keys", str(folder), "--client", "studio", "--client", "laptop"]) == 0
    capsys.readouterr()
    return folder


class CurveClient:
    def __init__(self, backend, server_key: bytes, public: bytes, secret: bytes) -> None:
        self.token = backend.ready["token"]
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.curve_serverkey, self.socket.curve_publickey = server_key, public
        self.socket.curve_secretkey = secret
        self.socket.connect(f"tcp://127.0.0.1:{backend.ready['port']}")

    def send(self, message) -> None:
        self.socket.send_multipart(encode(to_packet(message, self.token)))

    def receive(self, seconds: float = 20):
        return from_packet(decode(self.socket.recv_multipart())) if self.socket.poll(int(seconds * 1000)) else None


@pytest.fixture
def new() -> Iterator[Callable[..., CurveClient]]:
    made: list[CurveClient] = []

    def make(*given) -> CurveClient:
        made.append(CurveClient(*given))
        return made[-1]

    yield make
    for client in made:
        client.socket.close()


@pytest.fixture
def knock(new, keys: Path) -> Callable[..., CurveClient]:
    def come(backend, name: str) -> CurveClient:
        public, secret = zmq.auth.load_certificate(keys / f"{name}.key_secret")
        server, _ = zmq.auth.load_certificate(keys / "server.key")
        assert secret and server.decode() == backend.ready["public_key"]
        return new(backend, server, public, secret)

    return come


def test_keys_are_made_once_and_secret_ones_are_for_their_owner_only(keys, capsys):
    names = {path.relative_to(keys).as_posix() for path in keys.rglob("*") if path.is_file()}
    assert names == {
        "server.key", "server.key_secret", "studio.key_secret", "laptop.key_secret", "clients/studio.key",
        "clients/laptop.key",
    }  # fmt: skip
    for path in keys.glob("*.key_secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    for path in [keys / "server.key", *(keys / "clients").iterdir()]:
        assert "secret" not in path.read_text()
    server = (keys / "server.key_secret").read_bytes()
    assert cli.main(["keys", str(keys)]) == 0 and "--client" in capsys.readouterr().out
    assert cli.main(["keys", str(keys), "--client", "second"]) == 0
    assert (keys / "server.key_secret").read_bytes() == server and (keys / "clients" / "second.key").exists()
    assert cli.main(["keys", str(keys), "--client", "second"]) == 2 and "already" in capsys.readouterr().err
    for name in ("../x", "server", "", "a b"):
        assert cli.main(["keys", str(keys), "--client", name]) == 2
    fresh = keys / "fresh"
    assert cli.main(["keys", str(fresh)]) == 0 and (fresh / "clients" / "client.key").exists()


def test_a_known_key_gets_in_and_still_needs_the_token(keys, start, knock):
    backend = start("--curve", str(keys), "--address", "0.0.0.0", jobs="")
    client = knock(backend, "studio")
    client.send(Hello("studio"))
    welcome = client.receive()
    assert isinstance(welcome, Welcome) and welcome.capabilities["curve"] is True
    client.send(Submit("far", "animate", str(backend.clip), {"fake": {"frames": 3}}))
    while not isinstance(message := client.receive(), JobDone):
        assert message is not None and not isinstance(message, Error)
    client.token = "guessed"
    client.send(Ping())
    refused = client.receive()
    assert isinstance(refused, Error) and refused.error["kind"] == "protocol.token"
    code, log = backend.end()
    assert (code, log) == (0, "")


def test_unknown_keys_wrong_server_keys_and_plain_sockets_stay_outside(keys, start, knock, new):
    backend = start("--curve", str(keys), jobs="")
    server, _ = zmq.auth.load_certificate(keys / "server.key")
    stranger = new(backend, server, *zmq.curve_keypair())
    public, secret = zmq.auth.load_certificate(keys / "studio.key_secret")
    assert secret
    deceived = new(backend, zmq.curve_keypair()[0], public, secret)
    plain = backend.connect()
    for client in (stranger, deceived, plain):
        client.send(Ping(1))
    good = knock(backend, "laptop")
    good.send(Ping(2))
    assert good.receive() == Pong(2, good_state(good), 0, "")
    for client in (stranger, deceived, plain):
        assert not client.socket.poll(300)
    plain.close()


def good_state(client) -> str:
    client.send(Ping(3))
    answer = client.receive()
    assert isinstance(answer, Pong)
    return answer.worker


def test_keys_are_added_and_taken_away_while_it_runs(keys, start, knock):
    backend = start("--curve", str(keys), jobs="")
    assert cli.main(["keys", str(keys), "--client", "late"]) == 0
    late = knock(backend, "late")
    late.send(Ping(1))
    assert isinstance(late.receive(), Pong)
    (keys / "clients" / "laptop.key").unlink()
    (keys / "clients" / "broken.key").write_text("not a key")
    shut_out = knock(backend, "laptop")
    shut_out.send(Ping(1))
    assert shut_out.receive(0.4) is None
    studio = knock(backend, "studio")
    studio.send(Ping(1))
    assert isinstance(studio.receive(), Pong), "a file that is no key bars nobody else"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--address", "0.0.0.0"], "hmdiff keys"),
        (["--address", "192.168.1.5"], "encrypted"),
        (["--address", "::"], "encrypted"),
        (["--address", "example"], "not an IP address"),
        (["--curve", "/nowhere"], "hmdiff keys"),
    ],
)
def test_open_doors_are_refused_with_a_sentence(words, said, tmp_path, capsys):
    assert cli.main(["serve", "--root", str(tmp_path), *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
