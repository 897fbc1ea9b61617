// Wakes what a page has beyond links and forms. Everything here may fail to load; the page stays usable.
import { say } from "./say.js";

document.documentElement.classList.add("js");

async function wake() {
  if (document.getElementById("drop")) (await import("./drop.js")).start();
  if (document.getElementById("origin")) (await import("./origin.js")).start();
  if (document.getElementById("gather")) (await import("./batch.js")).start();
  if (document.getElementById("canvas")) (await import("./paint.js")).start();
  if (document.querySelector("[data-state]")) (await import("./watch.js")).start(renew);
  if (document.getElementById("strip")) (await import("./film.js")).start();
  document.documentElement.classList.add("awake");
}

// The heat map grows stronger and weaker with its slider.
addEventListener("input", (event) => {
  if (event.target.matches(".strength")) {
    event.target.closest("figure").style.setProperty("--heat", event.target.value / 100);
  }
});

// Shows this page as it is now, without a jump, and reads its new heading out.
async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = fresh.title;
  document.getElementById("main").replaceChildren(...fresh.getElementById("main").childNodes);
  const quote = document.querySelector("blockquote");
  say(`${document.querySelector("h1").textContent.trim()}. ${quote ? quote.textContent : ""}`);
  await wake();
}

wake();
