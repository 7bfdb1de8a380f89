// Dub: a recording is dropped, a video comes back.
import { get, post, upload } from "./api.js";
import { at, complain, make, pressing, say, write } from "./dom.js";

const EVERY_MS = 700;
let subject = "";
let job = null;

function build() {
  const file = make("input", { id: "dub-file", type: "file", accept: "audio/*,video/*", class: "unseen" });
  const drop = make("label", { id: "drop", for: "dub-file", class: "drop" },
    make("strong", {}, "Drop a recording here"), make("span", { class: "quiet" }, "or choose one: any audio file, up to 512 MB"));
  at("dub").append(make("section", { "aria-labelledby": "dub-title" },
    make("h2", { id: "dub-title" }, "Dub a recording"),
    make("p", { class: "quiet", id: "dub-who" }), file, drop,
    make("div", { id: "dub-work", hidden: true, class: "field" },
      make("div", { class: "row between" }, make("span", { id: "dub-step", role: "status" }), make("button", { id: "dub-cancel", type: "button" }, "Cancel")),
      make("progress", { id: "dub-share", max: 1, value: 0, "aria-label": "Progress of the dub" })),
    make("p", { id: "dub-failed", class: "note warn", role: "alert", hidden: true }),
    make("div", { id: "dub-done", hidden: true, class: "field" },
      make("video", { id: "dub-video", controls: true, playsinline: true, "aria-label": "The dubbed video" }),
      make("a", { id: "dub-save", class: "button", download: "" }, "Save the video"))));
  file.addEventListener("change", () => { if (file.files[0]) send(file.files[0]); file.value = ""; });
  const sheet = at("dub"); // all of it takes what is dropped
  sheet.addEventListener("dragover", () => drop.classList.add("over"));
  sheet.addEventListener("dragleave", () => drop.classList.remove("over"));
  sheet.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
  });
  pressing(at("dub-cancel"), async () => { if (job) await post(`/api/dubs/${job.id}/cancel`); });
}

async function send(file) {
  if (!at("dub-work").hidden) {
    complain(new Error("Another dub is under way. Wait for it, or cancel it."));
    return;
  }
  at("dub-work").hidden = false;
  at("dub-cancel").hidden = true; // there is nothing to cancel before it has arrived
  at("dub-failed").hidden = at("dub-done").hidden = true;
  write(at("dub-step"), `Sending ${file.name}…`);
  try {
    const query = new URLSearchParams({ name: file.name, subject });
    job = await upload(`/api/dubs?${query}`, file, (share) => { at("dub-share").value = share; });
    await follow();
  } catch (error) {
    fail(error.message);
  }
}

async function follow() {
  at("dub-cancel").hidden = false;
  while (job.state === "running") {
    write(at("dub-step"), job.left ? `Rendering ${job.title}, ${job.left} left` : `Rendering ${job.title}…`);
    at("dub-share").value = job.share;
    await new Promise((next) => setTimeout(next, EVERY_MS));
    job = await get(`/api/dubs/${job.id}`);
  }
  at("dub-work").hidden = true;
  if (job.state === "done") {
    at("dub-done").hidden = false;
    at("dub-video").src = at("dub-save").href = `/api/dubs/${job.id}/video`;
    say("The video is done.");
  } else fail(job.state === "cancelled" ? "Cancelled." : job.message);
}

function fail(message) {
  at("dub-work").hidden = true;
  at("dub-failed").hidden = false;
  write(at("dub-failed"), message);
}

export function show(status) {
  subject = status.subject;
  write(at("dub-who"), `${subject} speaks it, in the manner that you set. Nothing leaves this machine.`);
}

// What the page that was here before had begun.
async function resume() {
  const [last] = await get("/api/dubs").catch(() => []);
  if (!["running", "done"].includes(last?.state)) return;
  job = last;
  at("dub-work").hidden = false;
  follow().catch(complain);
}

export function start() {
  build();
  resume();
}
