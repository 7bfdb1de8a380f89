// Which microphones and cameras there are: asked when the page opens, and now and then while it is seen.
import { get } from "./api.js";
import { make } from "./dom.js";

const EVERY_MS = 10_000;
const listeners = [];

export function onDevices(listener) {
  if (listeners.push(listener) === 1) {
    look();
    setInterval(() => { if (!document.hidden) look(); }, EVERY_MS);
  }
}

export async function look() {
  const found = await get("/api/devices").catch(() => null);
  if (found) for (const listener of listeners) listener(found);
}

// Fill a list of choices without closing it under somebody's hand.
export function fill(select, choices, chosen) {
  const wanted = JSON.stringify(choices);
  if (select.dataset.choices !== wanted && document.activeElement !== select) {
    select.dataset.choices = wanted;
    select.replaceChildren(...choices.map(([value, text]) => make("option", { value }, text)));
  }
  if (document.activeElement !== select && chosen !== undefined) select.value = chosen;
}
