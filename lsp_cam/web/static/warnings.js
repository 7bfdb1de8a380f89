// What is wrong, in the daemon's own words; the way out that they name is a button where it can be one.
import { post } from "./api.js";
import { at, complain, make } from "./dom.js";

const FEWER = /lsp-cam set --fps (\d+)/;
let shown = "";

function item(warning) {
  const fps = FEWER.exec(warning)?.[1];
  const press = () => post("/api/camera", { fps: Number(fps) }).catch(complain);
  return make("li", { class: "told" }, warning,
    fps ? make("button", { type: "button", onclick: press }, `Show ${fps} pictures a second`) : null);
}

export function showWarnings(warnings) {
  const now = warnings.join("\n").replace(/\d+(?= of)/g, "");
  if (now === shown) return; // a screen reader would read them again
  shown = now;
  for (const old of at("warnings").querySelectorAll(".told")) old.remove();
  at("warnings").prepend(...warnings.map(item));
}
