// Takes a microphone by its label, and keeps each block with the time of its capture (µs) and of its arrival (ms),
// both on the page's clock.
window.kept = [];

window.listenTo = async (label) => {
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  (await navigator.mediaDevices.getUserMedia({ audio: true })).getTracks()[0].stop(); // names are told after consent
  const found = (await navigator.mediaDevices.enumerateDevices()).find((one) => one.kind === "audioinput" && one.label === label);
  if (!found) throw new Error(`There is no microphone ${label}.`);
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { deviceId: { exact: found.deviceId }, ...plain } });
  const track = stream.getAudioTracks()[0];
  hear(new MediaStreamTrackProcessor({ track }).readable.getReader());
  return { label: track.label, ...track.getSettings() };
};

async function hear(reader) {
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const samples = new Float32Array(value.numberOfFrames);
    value.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
    kept.push([value.timestamp, performance.now(), value.sampleRate, Int16Array.from(samples, (v) => 32767 * v)]);
    value.close();
  }
}

window.takeHeard = () => kept.splice(0).map(([...told]) => {
  const bytes = new Uint8Array(told[3].buffer);
  told[3] = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return told;
});
