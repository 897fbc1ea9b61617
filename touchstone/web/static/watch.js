// The page of one job while it runs: progress as it comes, then the result in its place.
import { follow, poll } from "./live.js";

const PLACES = { scan: "scans", batch: "batches", generation: "generations", testset: "testsets" };

export function start(renew) {
  const part = document.querySelector("[data-state]");
  if (!["queued", "running"].includes(part.dataset.state)) return;
  const address = `/v1/${PLACES[part.id]}/${part.dataset[part.id]}`;
  const bar = document.getElementById("progress");
  const said = document.getElementById("said");
  const watch = ["scan", "testset"].includes(part.id) ? follow : poll;
  let first = null;
  let seen = part.dataset.done;
  watch(address, (now) => {
    if (part.id === "batch" && now.done !== undefined && `${now.done}` !== seen) {
      seen = `${now.done}`;
      refresh(["standing", "counts", "rows"]);
    }
    if (!["queued", "running"].includes(now.state)) return renew();
    const done = now.progress?.done ?? now.done;
    const of = now.progress?.of ?? now.total;
    if (bar && of) Object.assign(bar, { max: of, value: done });
    if (said && part.id === "testset" && of) {
      first ??= { done, at: performance.now() };
      said.textContent = pace(done, of, (done - first.done) / (performance.now() - first.at) * 1000);
    } else if (said && now.state === "running") said.textContent = of ? `${part.id === "scan" ? "Frame " : ""}${done} of ${of}.` : part.id === "scan" ? "Being examined." : "Being made.";
  });
}

// How far a set is: "120 of 400 pictures, 8.1 a second, about 35 s left."
function pace(done, of, speed) {
  if (done >= of) return `All ${of} pictures are there. Looking for short cuts.`;
  if (!(speed > 0)) return `${done} of ${of} pictures.`;
  const left = (of - done) / speed;
  const time = left < 90 ? `${Math.ceil(left)} s` : `${Math.round(left / 60)} min`;
  return `${done} of ${of} pictures, ${speed < 10 ? speed.toFixed(1) : Math.round(speed)} a second, about ${time} left.`;
}

// Shows some parts of the page as they are now; the one a person is in stays as it is.
async function refresh(parts) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of parts) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (old && now && !old.contains(document.activeElement)) old.replaceWith(now);
  }
}
