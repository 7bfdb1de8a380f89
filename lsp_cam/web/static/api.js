// The control interface: one function a verb. Every failure is an Error whose message is for people.
const REFUSED = "lsp-cam refused this.";

async function told(answer) {
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(body.detail ?? REFUSED), { status: answer.status, kind: body.kind });
  return body;
}

export async function get(path) {
  return told(await fetch(path));
}

export async function post(path, body = {}) {
  return told(await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  }));
}

// Send a file as it is; `progress` hears which share of it has gone.
export function upload(path, file, progress) {
  return new Promise((end, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => progress(event.loaded / (event.total || 1)));
    request.addEventListener("load", () => {
      if (request.status < 400) end(request.response);
      else fail(new Error(request.response?.detail ?? REFUSED));
    });
    request.addEventListener("error", () => fail(new Error("The file could not be sent. Does lsp-cam still run?")));
    request.send(file);
  });
}

// A function that sends the newest of what it is given, one request at a time: for what a hand moves.
export function newest(path, failed) {
  let waiting = null;
  let busy = false;
  return async (body) => {
    waiting = body;
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        await post(path, next);
      }
    } catch (error) {
      waiting = null;
      failed(error);
    } finally {
      busy = false;
    }
  };
}
