// Sends files to the API, telling how far it is; `fetch` cannot tell that yet.

// One file, to be scanned.
export function upload(file, options, onShare) {
  const body = new FormData();
  // Fields before the file, so that the server knows them when the bytes arrive.
  for (const [name, value] of options) if (value) body.append(name, value);
  if (file.webkitRelativePath) body.append("client_ref", file.webkitRelativePath);
  body.append("file", file, file.name || "pasted.png");
  return send("/v1/scans", body, onShare);
}

// A form; `done` gives what the API made of it, `stop()` takes it back.
export function send(address, body, onShare) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) onShare(event.loaded / event.total); });
    request.addEventListener("load", () => {
      const answer = plain(request.responseText);
      if (request.status < 300) resolve(answer);
      else if (request.status === 401) location.assign(`/key?to=${encodeURIComponent(location.pathname)}`);
      else reject(new Error(answer.detail ?? answer.title ?? `The server refused the file (${request.status}).`));
    });
    request.addEventListener("error", () => reject(new Error("The server cannot be reached. Is it still running?")));
    request.addEventListener("abort", () => reject(new Error("Cancelled")));
  });
  request.open("POST", address);
  request.setRequestHeader("Idempotency-Key", key());
  request.send(body);
  return { done, stop: () => request.abort() };
}

function plain(text) {
  try { return JSON.parse(text); } catch { return {}; }
}

function key() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
