"""Webhooks on a real socket: signed as the standard says, tried again, given up, asked for once more."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from jobs_clock import FakeClock

from evidence.errors import NoSuchWebhook, UsageError
from worker import addresses
from worker.addresses import check, is_public, post, refuse_own, resolve
from worker.jobs.hooks import KEPT_SECONDS, Webhooks
from worker.jobs.leases import Leases
from worker.jobs.model import NewJob
from worker.jobs.store import JobStore
from worker.settings import load_settings
from worker.tasks import courier_of
from worker.webhooks import PAUSES_SECONDS, SENDERS, Courier, signed


@dataclass
class Receiver:
    """An HTTP server that answers with `status` and keeps what it was sent."""

    status: int = 204
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/hook?a=1"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def end_a_job(store: JobStore, webhook: str) -> str:
    """Submit a job that names a webhook, and complete it."""
    job, _ = store.submit(NewJob("scan", {"webhook": webhook}, ({"n": 1},), client_ref="mine"))
    leases = Leases(store)
    (lease,) = leases.claim("w", ["scan"])
    leases.complete(lease, {})
    return job.id


def signature(secret: str, headers: dict[str, str], body: bytes) -> str:
    """What the standard says the signature is."""
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def test_a_signature_is_that_of_the_standards_own_example() -> None:
    secret = "whsec_plJ3nmyCDGBKInavdOK15jsl"
    body = b'{"event_type":"ping","data":{"success":true}}'

    headers = signed("msg_loFOjxBNrRLzqYUf", 1_731_705_121, body, (secret,))

    assert headers["webhook-signature"] == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_the_end_of_a_job_is_told_once_and_signed(
    store: JobStore, clock: FakeClock, receiver: Receiver
) -> None:
    hook, secret = Webhooks(store).add("local", receiver.url)
    job = end_a_job(store, hook.id)
    courier = Courier(store, private=True)

    assert [courier.deliver(), courier.deliver()] == [True, False]

    ((headers, body),) = receiver.got
    assert headers["webhook-signature"] == signature(secret, headers, body)
    assert headers["webhook-timestamp"] == str(int(clock.now))
    said = json.loads(body)
    assert (said["type"], said["data"]) == (
        "scan.done",
        {"id": job, "state": "done", "client_ref": "mine"},
    )
    (delivery,) = Webhooks(store).deliveries("local", hook.id)
    assert (delivery.state, delivery.status, delivery.attempts) == ("delivered", 204, 1)


def test_a_worker_without_a_way_out_sends_nothing(store: JobStore, receiver: Receiver) -> None:
    hook, _ = Webhooks(store).add("local", receiver.url)
    end_a_job(store, hook.id)

    assert courier_of(load_settings(webhook_sender=False, webhook_private=True), store) is None
    courier = courier_of(load_settings(webhook_private=True), store)

    assert courier is not None
    assert (courier.deliver(), len(receiver.got)) == (True, 1)


def test_a_receiver_that_fails_is_tried_again_until_the_message_is_dead(
    store: JobStore, clock: FakeClock, receiver: Receiver
) -> None:
    hook, _ = Webhooks(store).add("local", receiver.url)
    end_a_job(store, hook.id)
    receiver.status, courier = 302, Courier(store, private=True)

    for pause in PAUSES_SECONDS:
        assert courier.deliver()
        assert not courier.deliver(), "it did not wait"
        clock.now += pause
    assert courier.deliver()

    (dead,) = Webhooks(store).deliveries("local", hook.id)
    assert (dead.state, dead.status, len(receiver.got)) == ("dead", 302, 1 + len(PAUSES_SECONDS))
    receiver.status = 200
    Webhooks(store).redeliver("local", hook.id, dead.id)
    assert courier.deliver()
    assert receiver.got[-1][0]["webhook-id"] == receiver.got[0][0]["webhook-id"]


def test_both_secrets_sign_for_a_day_after_a_rotation(
    store: JobStore, clock: FakeClock, receiver: Receiver
) -> None:
    hook, old = Webhooks(store).add("local", receiver.url)
    new = Webhooks(store).rotate("local", hook.id)
    courier = Courier(store, private=True)
    for later in (0.0, 90_000.0):
        clock.now += later
        end_a_job(store, hook.id)
        courier.deliver()

    (first, body), (second, later_body) = receiver.got
    both = [signature(secret, first, body) for secret in (new, old)]
    assert first["webhook-signature"].split(" ") == both
    assert second["webhook-signature"] == signature(new, second, later_body)


def test_a_receiver_that_is_gone_is_told_nothing_more(store: JobStore, receiver: Receiver) -> None:
    hook, _ = Webhooks(store).add("local", receiver.url)
    receiver.status = 410
    for _ in range(2):
        end_a_job(store, hook.id)
    courier = Courier(store, private=True)

    assert [courier.deliver(), courier.deliver()] == [True, False]
    assert "410" in Webhooks(store).get("local", hook.id).disabled


def test_a_private_address_is_not_called_unless_it_is_allowed(store: JobStore, receiver: Receiver) -> None:
    hook, _ = Webhooks(store).add("local", receiver.url)
    end_a_job(store, hook.id)

    assert Courier(store).deliver()

    assert receiver.got == []
    (delivery,) = Webhooks(store).deliveries("local", hook.id)
    assert "not of the public internet" in delivery.error


def test_a_webhook_of_another_tenant_is_not_there_and_is_told_nothing(
    store: JobStore, receiver: Receiver
) -> None:
    hook, _ = Webhooks(store).add("theirs", receiver.url)

    end_a_job(store, hook.id)

    assert not Courier(store, private=True).deliver()
    for call in (Webhooks(store).get, Webhooks(store).rotate, Webhooks(store).remove):
        with pytest.raises(NoSuchWebhook):
            call("local", hook.id)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1",
        "fec0::1", "64:ff9b:1::7f00:1", "::ffff:0:127.0.0.1", "5f00::1", "198.18.0.1",
        "::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    ],
)  # fmt: skip
def test_an_address_of_our_own_network_is_not_public_in_any_form(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "[::1]"])
def test_every_spelling_of_loopback_is_refused(host: str) -> None:
    _, name, port = check(f"http://{host}/")

    with pytest.raises(UsageError, match="public internet") as refused:
        resolve(name, port)
    assert "127.0.0.1" not in str(refused.value).replace(name, ""), "it tells where our names lead"
    with pytest.raises(UsageError, match="public internet"):
        refuse_own(name)


@pytest.mark.parametrize(
    "host", ["93.184.216.34", "[2606:4700::1111]", "desk.example", "my-localhost.example"]
)
def test_a_host_that_may_be_public_is_not_refused_before_its_name_is_asked(host: str) -> None:
    refuse_own(check(f"https://{host}/")[1])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.b/", "file:///etc/passwd", "http://", "https://me:pw@a.b/", "a.b", "http://a.b:x/",
        "http://a.b/\u00e9", "http://a.b/ c", "http://\u00fc.b/", "http://a.b/" + 2048 * "c",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no address that can be called"):
        check(url)


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    receiver.status = 307

    assert post(receiver.url, b"{}", {}, private=True) == 307
    assert len(receiver.got) == 1


@contextlib.contextmanager
def talker(*said: bytes, pause: float = 0.0) -> Iterator[str]:
    """The address of a socket that says these things to each who connects, then only keeps the line."""
    ended = threading.Event()

    def talk(line: socket.socket) -> None:
        with contextlib.suppress(OSError), line:
            line.recv(65_536)
            for part in said:
                line.sendall(part)
                if ended.wait(pause):
                    return
            ended.wait()

    def take(door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(door.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        taker = threading.Thread(target=take, args=(door,))
        taker.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}/"
        finally:
            ended.set()
            door.shutdown(socket.SHUT_RDWR)
            taker.join()


def test_a_receiver_that_answers_letter_by_letter_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "TIMEOUT_SECONDS", 0.5)
    started = time.monotonic()

    with talker(*[b"\r"] * 60, pause=0.05) as url, pytest.raises(TimeoutError):
        post(url, b"{}", {}, private=True)

    assert time.monotonic() - started < 2.5, "sixty letters take three seconds"


def test_an_answer_counts_from_its_first_line_on_and_notices_do_not() -> None:
    with talker(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 2", b"04 No Content\r\n") as url:
        assert post(url, b"{}", {}, private=True) == 204
    with talker(b"SSH-2.0-OpenSSH_9.6\r\n") as url, pytest.raises(OSError, match="did not speak HTTP"):
        post(url, b"{}", {}, private=True)


def test_what_nobody_foresaw_costs_one_message_and_not_the_courier(
    store: JobStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook, _ = Webhooks(store).add("local", receiver.url)
    end_a_job(store, hook.id)

    def fails(*_: object, **__: object) -> int:
        raise ValueError("never seen before")

    monkeypatch.setattr("worker.webhooks.post", fails)
    assert Courier(store, private=True).deliver()

    (delivery,) = Webhooks(store).deliveries("local", hook.id)
    assert (delivery.state, delivery.attempts) == ("pending", 1)
    assert "ValueError" in delivery.error
    assert "never seen before" in caplog.text


def test_a_receiver_that_never_answers_keeps_nobody_waiting_but_itself(
    store: JobStore, receiver: Receiver
) -> None:
    with talker() as silent:
        hooks = [Webhooks(store).add("local", url)[0].id for url in (silent, receiver.url)]
        for hook in (*[hooks[0]] * 2 * SENDERS, hooks[1]):
            end_a_job(store, hook)
        courier = Courier(store, private=True)
        courier.start()
        until = time.monotonic() + 8
        while not receiver.got and time.monotonic() < until:
            time.sleep(0.02)
        courier.stop()

        assert receiver.got, "it waited for the one that is silent"
        counts = [one.attempts for one in Webhooks(store).deliveries("local", hooks[0])]
        assert sum(counts) == 1, "it is sent one message at a time"
    courier.join()


def test_messages_are_forgotten_after_their_time(
    store: JobStore, clock: FakeClock, receiver: Receiver
) -> None:
    hook, _ = Webhooks(store).add("local", receiver.url)
    end_a_job(store, hook.id)
    Courier(store, private=True).deliver()
    clock.now += KEPT_SECONDS
    end_a_job(store, hook.id)

    assert Webhooks(store).sweep() == 0
    clock.now += 61
    assert Webhooks(store).sweep() == 1
    assert [one.state for one in Webhooks(store).deliveries("local", hook.id)] == ["pending"]
