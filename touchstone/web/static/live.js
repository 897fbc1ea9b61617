// Follows jobs: events for the first few, since a browser keeps six connections to a server at most;
// polling for the rest, and wherever events do not come through.
const STREAMS = 2;
const POLLED_AT_ONCE = 6;
const POLL_MS = 1500;
const DOUBT_MS = 10000;
const MISSES = 3;

const ENDS = ["done", "failed", "cancelled"];
const polled = new Map();
let streams = 0;
let polling = false;

// Calls tell({state, progress, ...}) on every change, the last time with the whole resource.
// Returns a function that stops it.
export function follow(address, tell) {
  if (streams < STREAMS && "EventSource" in window) return stream(address, tell);
  return poll(address, tell);
}

export async function look(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (answer.status === 404) return { state: "gone" };
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

export const ended = (resource) => resource.state === "gone" || ENDS.includes(resource.state);

function stream(address, tell) {
  const source = new EventSource(`${address}/events`);
  let misses = 0;
  let open = true;
  streams += 1;
  const stop = () => {
    if (!open) return;
    open = false;
    streams -= 1;
    source.close();
    clearInterval(doubt);
  };
  const finish = async () => {
    if (!open) return;
    const resource = await look(address);
    if (!ended(resource) || !open) return;
    stop();
    tell(resource);
  };
  // A proxy may hold events back without an error: look for the end now and then.
  const doubt = setInterval(() => finish().catch(() => {}), DOUBT_MS);
  source.addEventListener("running", () => tell({ state: "running", progress: null }));
  source.addEventListener("frame", (event) => {
    misses = 0;
    tell({ state: "running", progress: JSON.parse(event.data) });
  });
  for (const kind of ENDS) source.addEventListener(kind, () => finish().catch(() => {}));
  source.addEventListener("error", () => {
    misses += 1;
    finish().catch(() => {}); // the stream may have been cut off just before its last word
    if (open && (source.readyState === EventSource.CLOSED || misses >= MISSES)) {
      stop();
      poll(address, tell);
    }
  });
  return stop;
}

export function poll(address, tell) {
  polled.set(address, tell);
  if (!polling) turn();
  return () => polled.delete(address);
}

async function turn() {
  polling = true;
  while (polled.size) {
    const some = [...polled].slice(0, POLLED_AT_ONCE);
    await Promise.all(some.map(async ([address, tell]) => {
      try {
        const resource = await look(address);
        if (!polled.has(address)) return;
        if (ended(resource)) polled.delete(address);
        tell(resource);
      } catch { /* the server is away for a moment: the next turn asks again */ }
    }));
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
  polling = false;
}
