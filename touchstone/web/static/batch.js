// The page of batches: files and folders gathered by dropping or choosing, then sent as one batch.
import { filesOf, onlyMedia } from "./files.js";
import { percent, say } from "./say.js";
import { send } from "./upload.js";

export function start() {
  const form = document.getElementById("gather");
  const files = document.getElementById("media");
  const folder = document.getElementById("media-folder");
  const said = document.getElementById("gathered");
  const bar = document.getElementById("sending");
  const button = form.querySelector("[type=submit]");
  let gathered = [];

  const add = (some, leftOut = 0) => {
    gathered = gathered.concat(some);
    const bytes = gathered.reduce((sum, file) => sum + file.size, 0);
    const more = leftOut ? `; ${leftOut} left out, neither picture nor video` : "";
    said.textContent = `${gathered.length} ${gathered.length === 1 ? "file" : "files"}, ${(bytes / 1e6).toFixed(1)} MB${more}.`;
    say(said.textContent);
    files.required = !gathered.length;
    button.disabled = !gathered.length;
  };
  button.disabled = true;
  files.addEventListener("change", () => { add([...files.files]); files.value = ""; });
  folder.addEventListener("change", () => { add(...onlyMedia([...folder.files])); folder.value = ""; });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    add(...await filesOf(event.dataTransfer));
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new FormData();
    for (const [name, value] of new FormData(form)) if (name !== "media" && value) body.append(name, value);
    for (const file of gathered) body.append("media", file, file.path || file.webkitRelativePath || file.name);
    button.disabled = true;
    bar.hidden = false;
    try {
      const job = send("/v1/batches", body, (share) => { bar.value = share; said.textContent = `Sent ${percent(share)}.`; });
      location.assign(`/batches/${(await job.done).id}`);
    } catch (error) {
      bar.hidden = true;
      button.disabled = false;
      said.textContent = error.message;
      say(error.message);
    }
  });
}
