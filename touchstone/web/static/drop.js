// The first page: files dropped, pasted or chosen, uploaded two at a time and followed to their verdicts.
import { ended, follow } from "./live.js";
import { percent, say, verdictWords } from "./say.js";
import { upload } from "./upload.js";
import { filesOf, onlyMedia } from "./files.js";

const AT_ONCE = 2;
const items = [];
let uploading = 0;

export function start() {
  const form = document.getElementById("drop");
  document.getElementById("drop-lead").textContent = "Drop pictures, videos or a folder anywhere on this page, or paste.";
  const files = document.getElementById("files");
  files.multiple = true;
  files.addEventListener("change", () => { add([...files.files]); files.value = ""; });
  const folder = document.getElementById("folder");
  folder.addEventListener("change", () => { add(...onlyMedia([...folder.files])); folder.value = ""; });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("paste", (event) => { if (event.clipboardData.files.length) add([...event.clipboardData.files]); });
  addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
  addEventListener("drop", async (event) => {
    event.preventDefault();
    over(false);
    add(...await filesOf(event.dataTransfer));
  });
}

const over = (is) => document.body.classList.toggle("over", is);

function add(files, leftOut = 0) {
  if (leftOut) say(`${leftOut} ${leftOut === 1 ? "file is" : "files are"} neither picture nor video and left out.`);
  if (!files.length) return;
  document.getElementById("queue").hidden = false;
  for (const file of files) items.push(show(file));
  tally(leftOut);
  next();
}

// One row of the queue; its button cancels while there is something to cancel, and tries again after a failure.
function show(file) {
  const row = document.getElementById("queued-file").content.firstElementChild.cloneNode(true);
  const item = { file, row, state: "waiting", stop: null, id: null };
  row.querySelector("a").textContent = file.webkitRelativePath || file.name;
  row.querySelector("button").addEventListener("click", () => (item.state === "broken" ? again(item) : cancel(item)));
  document.getElementById("queued").append(row);
  put(item, "waiting", "Waiting to be sent");
  return item;
}

function next() {
  const item = items.find((one) => one.state === "waiting");
  if (!item || uploading >= AT_ONCE) return;
  uploading += 1;
  send(item).finally(() => { uploading -= 1; next(); });
  next();
}

async function send(item) {
  put(item, "sending", "Being sent", 0);
  const options = new FormData(document.getElementById("drop"));
  options.delete("file");
  const job = upload(item.file, options, (share) => put(item, "sending", `Sent ${percent(share)}`, share));
  item.stop = job.stop;
  try {
    const scan = await job.done;
    item.id = scan.id;
    item.row.querySelector("a").href = `/scans/${scan.id}`;
    // Whoever drops one file wants its verdict, not a list of one.
    if (items.length === 1) return location.assign(`/scans/${scan.id}`);
    const tell = (now) => heard(item, now);
    if (ended(scan)) tell(scan);
    else { put(item, "queued", "Waiting for a free worker"); item.stop = follow(`/v1/scans/${scan.id}`, tell); }
  } catch (error) {
    if (item.state !== "cancelled") put(item, "broken", error.message);
  }
}

function heard(item, now) {
  const { done, of } = now.progress ?? {};
  if (!ended(now)) return put(item, now.state, now.state === "queued" ? "Waiting for a free worker" : of ? `Frame ${done} of ${of}` : "Being examined", of ? done / of : undefined);
  if (now.state === "gone") return put(item, "cancelled", "Deleted");
  if (!now.report) return put(item, now.state, now.error?.message ?? (now.state === "cancelled" ? "Cancelled" : "The scan failed"));
  const kind = now.report.verdict ?? "none";
  const chance = now.report.fake_probability;
  const words = verdictWords(now.report) + (chance === null ? `: ${now.report.reason?.message ?? ""}` : `, probability of forgery ${percent(chance)}`);
  item.row.className = kind;
  item.row.querySelector("use").setAttribute("href", `#i-${kind}`);
  put(item, kind, words);
  say(`${item.file.name}: ${words}`);
}

function put(item, state, words, share) {
  item.state = state;
  const bar = item.row.querySelector("progress");
  const busy = ["waiting", "sending", "queued", "running"].includes(state);
  item.row.classList.toggle("ended", !busy);
  item.row.querySelector(".state").textContent = words;
  bar.hidden = !busy || state === "waiting";
  bar.setAttribute("aria-label", `Progress of ${item.file.name}`);
  if (share === undefined) bar.removeAttribute("value");
  else bar.value = share;
  const button = item.row.querySelector("button");
  button.hidden = !busy && state !== "broken";
  button.textContent = state === "broken" ? "Try again" : "Cancel";
  button.setAttribute("aria-label", `${button.textContent}: ${item.file.name}`);
  tally();
}

function tally(leftOut = 0) {
  const counts = ["fake", "uncertain", "real", "none"].map((kind) => [kind, items.filter((item) => item.state === kind).length]);
  const done = counts.reduce((sum, [, count]) => sum + count, 0);
  const words = counts.filter(([, count]) => count).map(([kind, count]) => `${count} ${kind === "none" ? "without a verdict" : kind}`);
  const parts = [`${done} of ${items.length} examined`, ...words];
  if (leftOut) parts.push(`${leftOut} left out, neither picture nor video`);
  document.getElementById("tally").textContent = parts.join(", ");
}

async function cancel(item) {
  item.stop?.();
  put(item, "cancelled", "Cancelled");
  if (item.id) await fetch(`/v1/scans/${item.id}/cancel`, { method: "POST" }).catch(() => {});
}

function again(item) {
  put(item, "waiting", "Waiting to be sent");
  next();
}
