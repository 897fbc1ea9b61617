"""Test sets over HTTP: planned, built by the real worker code, looked at and fetched; refused with a line."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence.errors import ApiRefused
from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from tests.api_service import Api, problem
from tests.touchstone.api.conftest import StartApi
from testsets.verify import check, rows_of
from touchstone.api.packing import Packed, wanted_part
from touchstone.client import AsyncClient, Client
from worker.jobs.api_keys import ApiKeys
from worker.workman import Workman

RECIPE = """\
count = 6
[[sources]]
folder = "reals"
fit = 64
[[systems]]
name = "splice"
"""
WISH = {"text": RECIPE, "layouts": ["csv"]}


@pytest.fixture
def reals(tmp_path: Path, make_photo: Callable[..., Pixels]) -> Path:
    folder = tmp_path / "reals"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(make_photo(96, 128, number), 90))
    return folder


@pytest.fixture
def studio(start: StartApi, reals: Path) -> Api:
    return start(testset_folders=str(reals))


def work(api: Api, shards: int = 3) -> None:
    """Do so many shards as a worker does: a set of six reals is planned, forged and checked."""
    service = api.service
    with Workman(service.store, service.media, service.settings) as workman:
        for _ in range(shards):
            assert workman.work() == 1


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_set_is_planned_built_looked_at_and_fetched(
    database: str, start: StartApi, reals: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_database") if database == "postgres" else ""
    api = start(testset_folders=str(reals), database_url=url)
    planned = api.http.post("/v1/testsets/plan", json=WISH).json()
    assert (planned["reals"], planned["forgeries"]) == (6, 6)
    assert planned["systems"] == [{"name": "splice", "pictures": 6}]
    assert api.http.get("/v1/testsets").json()["items"] == []

    answer = api.http.post("/v1/testsets", json=WISH, headers={"Idempotency-Key": "k"})
    made = answer.json()
    own = f"/v1/testsets/{made['id']}"
    assert (answer.status_code, answer.headers["location"], made["state"]) == (202, own, "queued")
    assert (
        api.http.post("/v1/testsets", json=WISH, headers={"Idempotency-Key": "k"}).json()["id"] == made["id"]
    )
    other = api.http.post("/v1/testsets", json=WISH | {"seed": 1}, headers={"Idempotency-Key": "k"})
    problem(other, 409, "key_conflict")
    work(api, 1)
    assert api.http.get(own).json()["stage"] == "forging"
    work(api, 1)
    going = api.http.get(own).json()
    assert (going["stage"], going["progress"]) == ("checking", {"done": 12, "of": 12})
    problem(api.http.get(f"{own}/testset.tar"), 404, "not_there")
    work(api, 1)

    found = api.http.get(own).json()
    assert (found["state"], found["reals"], found["forgeries"]) == ("done", 6, 6)
    assert found["lint"]["verdict"] == "too few to tell"
    assert api.http.get(found["links"]["card"]).text.startswith("# recipe\n")
    (sheet,) = found["sheets"]
    assert api.http.get(sheet["url"]).content.startswith(b"\x89PNG")
    problem(api.http.get(f"{own}/sheets/..%2FREADME.md"), 404, "no_such_path")
    problem(api.http.get(f"{own}/sheets/other.png"), 404, "not_there")
    told = api.http.get(found["links"]["events"]).text
    assert all(f"event: {kind}" in told for kind in ("queued", "running", "frame", "done"))

    tar = api.http.get(found["links"]["tar"])
    with tarfile.open(fileobj=io.BytesIO(tar.content)) as packed:
        packed.extractall(tmp_path / "out", filter="data")
    (folder,) = (tmp_path / "out").iterdir()
    assert list(check(folder, rows_of(folder))) == []
    assert (folder / "layouts" / "csv" / "labels.csv").is_file()
    part = api.http.get(found["links"]["tar"], headers={"Range": "bytes=1000-70000"})
    assert (part.status_code, part.content) == (206, tar.content[1000:70001])
    assert part.headers["content-range"] == f"bytes 1000-70000/{len(tar.content)}"
    problem(api.http.get(found["links"]["tar"], headers={"Range": "bytes=99999999-"}), 416, "bad_range")

    assert api.http.delete(own).json()["deleted"]
    problem(api.http.get(own), 404, "no_such_job")
    assert [path for path in api.service.media.folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("wish", "status", "code", "said"),
    [
        ({"recipe": "quick-lock"}, 422, "usage", "There is no ready recipe 'quick-lock'"),
        ({"text": RECIPE.replace("splice", "stylegan9")}, 422, "recipe", "recipe.toml, line 6: "),
        ({"text": f"{RECIPE}yaw = [0, 1]\n"}, 422, "recipe", "line 5: splice takes no conditions"),
        ({"text": RECIPE.replace("64", "64\ncrop = 64")}, 422, "recipe", "line 4: crop and fit contradict"),
        ({"text": "count = = 1"}, 422, "recipe", "is no TOML"),
        ({"text": RECIPE, "count": 7}, 422, "recipe", "line 1: 7 reals are asked for"),
        ({"text": RECIPE, "count": 10**9}, 413, "set_too_large", "line 1: It comes to 2000000000 pictures"),
        ({"text": RECIPE.replace("reals", "/etc")}, 422, "recipe", "line 3: '/etc' is no folder"),
        ({"text": RECIPE, "source": "../../etc"}, 422, "usage", "no folder that test sets"),
        ({"text": RECIPE, "recipe": "faces"}, 422, "invalid", "name either a recipe or give a text"),
        ({"text": RECIPE, "layouts": ["zip"]}, 422, "invalid", "layouts"),
        ({"text": RECIPE, "folder": "/"}, 422, "invalid", "folder"),
        ({"text": "#" * 70_000}, 422, "invalid", "text"),
        ({"text": RECIPE, "webhook": "nosuch"}, 422, "usage", "You have no webhook"),
    ],
)
def test_what_cannot_be_built_is_refused_at_once(
    studio: Api, wish: dict[str, object], status: int, code: str, said: str
) -> None:
    refused = problem(studio.http.post("/v1/testsets", json=wish), status, code)
    assert said in refused["detail"]
    assert str(Path.cwd()) not in f"{refused}"
    assert studio.http.get("/v1/testsets").json()["items"] == []


def test_an_empty_folder_is_refused_without_its_path(studio: Api, reals: Path) -> None:
    (reals / "empty").mkdir()
    wish = {"text": RECIPE.replace('"reals"', '"reals/empty"')}
    refused = problem(studio.http.post("/v1/testsets", json=wish), 422, "usage")
    assert "reals/empty" in refused["detail"]
    assert str(reals) not in refused["detail"]


def test_a_full_disk_takes_no_set(start: StartApi, reals: Path) -> None:
    api = start(testset_folders=str(reals), free_bytes=2**60)
    problem(api.http.post("/v1/testsets", json=WISH), 507, "store_full")


def test_the_ready_recipes_say_what_they_are_and_what_they_need(studio: Api) -> None:
    found = studio.http.get("/v1/testsets/recipes").json()
    assert found["sources"] == ["reals"]
    quick = next(one for one in found["items"] if one["name"] == "quick-look")
    assert quick["about"]
    assert quick["systems"]
    assert "[[systems]]" in quick["text"]
    planned = studio.http.post("/v1/testsets/plan", json={"recipe": "quick-look", "source": "reals"}).json()
    assert (planned["name"], planned["reals"], planned["forgeries"]) == ("quick-look", 6, 12)


def test_two_tenants_see_nothing_of_each_other(studio: Api) -> None:
    keys = {
        tenant: ApiKeys(studio.service.store).add(tenant, name="", scopes=("read", "write"))[1]
        for tenant in ("anna", "bert")
    }
    anna, bert = ({"Authorization": f"Bearer {keys[tenant]}"} for tenant in ("anna", "bert"))
    made = studio.http.post("/v1/testsets", json=WISH, headers=anna).json()
    work(studio)
    own = f"/v1/testsets/{made['id']}"
    assert studio.http.get(own, headers=anna).json()["state"] == "done"
    assert studio.http.get("/v1/testsets", headers=bert).json()["items"] == []
    for path in ("", "/events", "/card.md", "/lint.html", "/sheets/splice.png", "/testset.tar"):
        problem(studio.http.get(f"{own}{path}", headers=bert), 404, "no_such_job")
    problem(studio.http.post(f"{own}/cancel", headers=bert), 404, "no_such_job")
    problem(studio.http.delete(own, headers=bert), 404, "no_such_job")
    assert studio.http.get(f"{own}/testset.tar", headers=anna).status_code == 200


def test_who_may_only_read_builds_nothing(studio: Api) -> None:
    key = ApiKeys(studio.service.store).add("anna", name="", scopes=("read",))[1]
    headers = {"Authorization": f"Bearer {key}"}
    problem(studio.http.post("/v1/testsets", json=WISH, headers=headers), 403, "scope_missing")
    problem(studio.http.post("/v1/testsets/plan", json=WISH, headers=headers), 403, "scope_missing")
    assert studio.http.get("/v1/testsets/recipes", headers=headers).status_code == 200


def test_a_cancelled_set_leaves_nothing(studio: Api) -> None:
    made = studio.http.post("/v1/testsets", json=WISH).json()
    work(studio, 2)
    stopped = studio.http.post(f"/v1/testsets/{made['id']}/cancel").json()
    assert stopped["state"] == "cancelled"
    assert stopped["links"]["tar"] is None
    assert [path for path in studio.service.media.folder.rglob("*") if path.is_file()] == []


def test_a_set_that_leaks_is_refused_unless_it_is_forced(studio: Api) -> None:
    for force in (False, True):
        made = studio.http.post("/v1/testsets", json=WISH | {"force": force}).json()
        work(studio, 2)
        (lease,) = studio.service.leases.claim("test", ["testset"])
        folder = studio.service.media.artefact(lease.job, "set")
        folder.mkdir()
        (folder / "lint.json").write_text('{"why": "few"}')
        (folder / "testset.json").write_text('{"date": "2026-01-01", "name": "x"}')
        lint = {"verdict": "failed", "worst_auc": 0.9, "leaks": ["format"]}
        assert studio.service.leases.complete(lease, {"lint": lint, "reals": 6, "forgeries": 6})
        found = studio.http.get(f"/v1/testsets/{made['id']}").json()
        tar = studio.http.get(f"/v1/testsets/{made['id']}/testset.tar")
        assert (found["links"]["tar"] is not None) is force
        if force:
            assert tar.status_code == 200
        else:
            assert "format tells real from fake" in problem(tar, 409, "leaks")["detail"]


def test_the_clients_build_wait_and_fetch(studio: Api, tmp_path: Path) -> None:
    recipe, tar = tmp_path / "mine.toml", tmp_path / "set.tar"
    recipe.write_text(RECIPE)
    with Client(studio.url) as service:
        made = service.testset(recipe, key="k", seed=2)
        assert service.testset(recipe, key="k", seed=2)["id"] == made["id"]
        work(studio)
        assert service.wait_testset(made["id"])["state"] == "done"
        whole = service.fetch_testset(made["id"], tar).read_bytes()
        tar.write_bytes(whole[:5_000])  # a download that broke off
        assert service.fetch_testset(made["id"], tar).read_bytes() == whole
        assert service.fetch_testset(made["id"], tar).read_bytes() == whole
        with pytest.raises(ApiRefused, match="There is no ready recipe"):
            service.testset("nosuch")

    async def story() -> bytes:
        async with AsyncClient(studio.url) as service:
            again = await service.testset("quick-look", source="reals", count=2)
            await asyncio.to_thread(work, studio)
            assert (await service.wait_testset(again["id"]))["forgeries"] == 4
            return (await service.fetch_testset(made["id"], tmp_path / "again.tar")).read_bytes()

    assert asyncio.run(story()) == whole


def test_a_tar_is_the_same_from_any_byte_on(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / f"{'long' * 40}.bin").write_bytes(bytes(range(256)) * 5)
    (tmp_path / "b").write_bytes(b"")
    packed = Packed(tmp_path, "set", date=7, more={"c.html": b"page"})
    whole = b"".join(packed.read(0, packed.size_bytes))
    assert len(whole) == packed.size_bytes
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert {member.name.rpartition("/")[2] for member in tar} == {f"{'long' * 40}.bin", "b", "c.html"}
        page = tar.extractfile("set/c.html")
        assert page is not None
        assert page.read() == b"page"
    for first, end in ((0, 1), (511, 513), (1_000, 3_001), (len(whole) - 1, len(whole))):
        assert b"".join(packed.read(first, end)) == whole[first:end]


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("", (0, 10)),
        ("bytes=0-", (0, 10)),
        ("bytes=2-4", (2, 5)),
        ("bytes=4-99", (4, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=0-1,3-4", (0, 10)),
        ("lines=1-2", (0, 10)),
        ("bytes=10-", None),
        ("bytes=4-3", None),
        ("bytes=-0", None),
    ],
)
def test_a_range_is_read_as_rfc_9110_says(asked: str, part: tuple[int, int] | None) -> None:
    assert wanted_part(asked, 10) == part
