// The page of provenance: a file dropped anywhere is chosen, and what was chosen is named.
import { say } from "./say.js";

export function start() {
  const input = document.getElementById("origin-file");
  const chosen = () => {
    const [file] = input.files;
    if (!file) return;
    document.getElementById("origin-chosen").textContent = file.name;
    say(`${file.name} is chosen.`);
  };
  input.addEventListener("change", chosen);
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer.files.length) return;
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    input.files = one.files;
    chosen();
    document.getElementById("origin").requestSubmit();
  });
}
