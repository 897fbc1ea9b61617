// Words for people: what a screen reader hears, and numbers as the server writes them.
const NBSP = "\u00a0";

export function say(text) {
  document.getElementById("spoken").textContent = text;
}

// A share of 0..1 in per cent; never "0 %" or "100 %" of something that is neither.
export function percent(value) {
  const shown = 100 * value;
  if (shown > 0 && shown < 0.5) return `under 1${NBSP}%`;
  if (shown >= 99.5 && shown < 100) return `over 99${NBSP}%`;
  return `${Math.round(shown)}${NBSP}%`;
}

export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60];
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function verdictWords(report) {
  const words = { fake: "Fake", real: "Real", uncertain: "Uncertain" };
  const decided = { c2pa: " (declared)", watermark: " (watermarked)", registry: " (known)" };
  return report.verdict ? words[report.verdict] + (decided[report.decided_by] ?? "") : "No verdict";
}
