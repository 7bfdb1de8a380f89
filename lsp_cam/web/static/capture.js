// The browser's own camera and microphone, in no case the portrait's: somebody would film the film of somebody.
const OURS = /LSP[ _]?(Cam|Mic)/i;
const WANTED = {
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
  audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
};
const REFUSALS = {
  NotAllowedError: "The browser may not use your camera and microphone. Allow both (beside this page's address), then record again.",
  NotFoundError: "The browser finds no camera, or no microphone. Plug one in, or choose a film.",
  NotReadableError: "Another program has your camera or microphone. Close it, then record again.",
};
const NAMES = { video: "camera", audio: "microphone" };

async function ask(wanted) {
  try {
    return await navigator.mediaDevices.getUserMedia(wanted);
  } catch (error) {
    throw new Error(REFUSALS[error.name] ?? error.message);
  }
}

// A stream of both. Which devices there are is told only after the first yes.
export async function capture() {
  const stream = await ask(WANTED);
  const ours = stream.getTracks().filter((track) => OURS.test(track.label));
  if (!ours.length) return stream;
  for (const track of stream.getTracks()) track.stop();
  const found = await navigator.mediaDevices.enumerateDevices();
  const wanted = structuredClone(WANTED);
  for (const { kind } of ours) {
    const other = found.find((device) => device.kind === `${kind}input` && !OURS.test(device.label));
    if (!other) throw new Error(`The only ${NAMES[kind]} that the browser finds is lsp-cam's. Plug one in, or choose a film.`);
    wanted[kind].deviceId = { exact: other.deviceId };
  }
  return ask(wanted);
}
