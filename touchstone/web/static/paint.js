// Marks what is made anew on the picture itself: a rectangle, which is also written out, or a brush, which becomes a mask.
const SHADE = "rgba(200, 16, 64, 0.55)";

export function start() {
  const form = document.getElementById("wish");
  const [canvas, box, mask] = ["canvas", "box", "mask"].map((id) => document.getElementById(id));
  const pen = canvas.getContext("2d");
  const strokes = document.createElement("canvas");
  const picture = new Image();
  let from = null;
  let painted = false;

  const brush = () => form.querySelector("[value=brush]").checked;
  const draw = () => {
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    pen.drawImage(strokes, 0, 0);
    const [x, y, width, height] = box.value.split(",").map(Number);
    pen.fillStyle = SHADE;
    if (height) pen.fillRect(x, y, width, height);
  };
  const wipe = () => {
    [strokes.width, strokes.height, painted] = [canvas.width, canvas.height, false];
    box.value = "";
    draw();
  };
  const place = (event) => {
    const seen = canvas.getBoundingClientRect();
    const inside = (share, side) => Math.round(Math.min(Math.max(share, 0), 1) * side);
    return [inside((event.clientX - seen.left) / seen.width, canvas.width), inside((event.clientY - seen.top) / seen.height, canvas.height)];
  };
  const line = ([x, y], [u, v]) => {
    const ink = strokes.getContext("2d");
    Object.assign(ink, { strokeStyle: "#c81040", lineWidth: Math.max(4, canvas.width / 24), lineCap: "round" });
    ink.beginPath();
    ink.moveTo(x, y);
    ink.lineTo(u, v);
    ink.stroke();
    painted = true;
  };

  document.getElementById("input").addEventListener("change", (event) => {
    const [file] = event.target.files;
    document.getElementById("painting").hidden = true; // what the browser cannot show has its rectangle written
    if (file) picture.src = URL.createObjectURL(file);
  });
  picture.addEventListener("load", () => {
    [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    document.getElementById("painting").hidden = false;
    wipe();
  });
  document.getElementById("wipe").addEventListener("click", wipe);
  box.addEventListener("input", draw);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    from = place(event);
    if (brush()) { box.value = ""; line(from, from); draw(); }
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = place(event);
    if (brush()) { line(from, to); from = to; }
    else {
      const [left, top] = [Math.min(from[0], to[0]), Math.min(from[1], to[1])];
      box.value = [left, top, Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])].join(",");
    }
    draw();
  });
  canvas.addEventListener("pointerup", () => { from = null; });
  form.addEventListener("submit", (event) => {
    if (!painted) return;
    event.preventDefault();
    masked(strokes, box.value).toBlob((blob) => {
      const files = new DataTransfer();
      files.items.add(new File([blob], "mask.png", { type: "image/png" }));
      mask.files = files.files;
      box.value = "";
      form.submit();
    });
  });
}

// What was painted, and the rectangle if there is one too, as white on black.
function masked(strokes, said) {
  const made = Object.assign(document.createElement("canvas"), { width: strokes.width, height: strokes.height });
  const pen = made.getContext("2d");
  pen.drawImage(strokes, 0, 0);
  const [x, y, width, height] = said.split(",").map(Number);
  if (height) pen.fillRect(x, y, width, height);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, made.width, made.height);
  pen.globalCompositeOperation = "destination-over";
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, made.width, made.height);
  return made;
}
