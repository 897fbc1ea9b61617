// The video and the heat strip under it, which seek each other; pictures of the worst frames.
import { clock, percent } from "./say.js";

const THUMB_WIDTH = 240;

export function start() {
  const film = document.getElementById("film");
  const seek = document.getElementById("seek");
  if (!film || !seek) return;
  const judged = [...document.querySelectorAll("#judged tr")].map((row) => ({ t: +row.dataset.t, p: +row.dataset.p }));
  const nearest = (t) => judged.reduce((best, one) => (Math.abs(one.t - t) < Math.abs(best.t - t) ? one : best));

  const go = (t) => {
    film.currentTime = t;
    tell(t);
  };
  const tell = (t) => {
    const words = `${clock(t)}: ${percent(nearest(t).p)} probability of forgery`;
    seek.value = t;
    seek.setAttribute("aria-valuetext", words);
    document.getElementById("reading").textContent = words;
  };

  seek.addEventListener("input", () => go(+seek.value));
  seek.addEventListener("keydown", (event) => {
    const forth = event.key === "ArrowRight" || event.key === "ArrowUp";
    if (!forth && event.key !== "ArrowLeft" && event.key !== "ArrowDown") return;
    event.preventDefault();
    const now = +seek.value;
    const to = forth ? judged.find((one) => one.t > now + 0.01) : judged.findLast((one) => one.t < now - 0.01);
    if (to) go(to.t);
  });
  film.addEventListener("timeupdate", () => tell(film.currentTime));
  document.getElementById("scan").addEventListener("click", (event) => {
    const link = event.target.closest("[data-t] > a, a[data-t]");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(+link.dataset.t);
    film.scrollIntoView({ block: "nearest" });
  });
  const unplayable = () => {
    film.hidden = true;
    document.getElementById("unplayable").hidden = false;
  };
  // Either may have happened before this module was there.
  if (film.error) unplayable();
  else film.addEventListener("error", unplayable);
  if (film.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) picture(film.currentSrc);
  else film.addEventListener("loadeddata", () => picture(film.currentSrc), { once: true });
}

// Draws each of the worst frames into its link, one after the other, from a second copy of the video.
async function picture(address) {
  const copy = Object.assign(document.createElement("video"), { src: address, muted: true, preload: "auto" });
  const happens = (name) => new Promise((resolve, reject) => {
    copy.addEventListener(name, resolve, { once: true });
    copy.addEventListener("error", reject, { once: true });
  });
  try {
    await happens("loadeddata");
    for (const link of document.querySelectorAll("#worst a")) {
      const sought = happens("seeked");
      copy.currentTime = +link.dataset.t;
      await sought;
      const canvas = document.createElement("canvas");
      canvas.width = THUMB_WIDTH;
      canvas.height = Math.round((THUMB_WIDTH * copy.videoHeight) / copy.videoWidth);
      canvas.getContext("2d").drawImage(copy, 0, 0, canvas.width, canvas.height);
      link.prepend(canvas);
    }
  } catch { /* the links say their times without pictures too */ }
}
