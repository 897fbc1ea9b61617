"""Webhooks on a real socket: signed as the standard says, tried again, given up, asked for once more."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from jobs_clock import FakeClock

from evidence.errors import NoSuchWebhook
from tests.worker_service import WAIT_SECONDS, wait_for
from worker import addresses
from worker.addresses import post
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


@pytest.mark.parametrize("tried", range(len(PAUSES_SECONDS) + 1))
def test_a_clock_that_is_set_back_holds_no_message_up_for_longer_than_its_pause(
    store: JobStore, clock: FakeClock, receiver: Receiver, tried: int
) -> None:
    hook, _ = Webhooks(store).add("local", receiver.url)
    end_a_job(store, hook.id)
    receiver.status, courier = 500, Courier(store, private=True)
    for pause in (0.0, *PAUSES_SECONDS)[:tried]:
        clock.now += pause
        assert courier.deliver()

    clock.now -= 2 * PAUSES_SECONDS[-1]

    receiver.status = 204
    assert courier.deliver()
    assert [one.state for one in Webhooks(store).deliveries("local", hook.id)] == ["delivered"]
    assert not courier.deliver()


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


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    receiver.status = 307

    assert post(receiver.url, b"{}", {}, private=True) == 307
    assert len(receiver.got) == 1


@contextlib.contextmanager
def talker(*said: bytes, pause: float = 0.0, left: list[bytes] | None = None) -> Iterator[str]:
    """The address of a socket that says these things to each who connects, then only keeps the line.

    What it could not say any more, because the line was closed, is `left`.
    """
    ended = threading.Event()

    def talk(line: socket.socket) -> None:
        with contextlib.suppress(OSError), line:
            line.recv(65_536)
            for number, part in enumerate(said):
                try:
                    line.sendall(part)
                except OSError:
                    if left is not None:
                        left.extend(said[number:])
                    return
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
    left: list[bytes] = []

    with talker(*[b"\r"] * 2_000, pause=0.05, left=left) as url:
        with pytest.raises(TimeoutError):
            post(url, b"{}", {}, private=True)
        wait_for(lambda: left)  # it was left in the middle, and not when its two thousand letters were over


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
    store: JobStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "TIMEOUT_SECONDS", 10 * WAIT_SECONDS)  # nobody gives up on it here

    def tried(hook: str) -> int:
        return sum(one.attempts for one in Webhooks(store).deliveries("local", hook))

    with talker() as silent:
        hooks = [Webhooks(store).add("local", url)[0].id for url in (silent, receiver.url)]
        for hook in (*[hooks[0]] * 2 * SENDERS, hooks[1]):
            end_a_job(store, hook)
        courier = Courier(store, private=True)
        courier.start()
        try:
            wait_for(lambda: receiver.got)  # else it waits for the one that is silent
            wait_for(lambda: tried(hooks[0]))
            with courier._lock:
                assert courier._claim() is None, "it is sent one message at a time"
            assert tried(hooks[0]) == 1
        finally:
            courier.stop()
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
