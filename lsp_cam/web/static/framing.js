// How somebody sits before the camera, as the training's own face finder sees it; and the light on that face.
const WIDE = 256;
const SMALL = { width: 64, height: 36 };

// RGB bytes of a video's picture, not larger than anybody needs who looks for a face.
function picture(video) {
  const scale = WIDE / Math.max(video.videoWidth, video.videoHeight);
  const width = Math.max(Math.round(video.videoWidth * scale), 32), height = Math.max(Math.round(video.videoHeight * scale), 32);
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.drawImage(video, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height);
  const rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    rgb[to++] = data[from];
    rgb[to++] = data[from + 1];
    rgb[to++] = data[from + 2];
  }
  return { width, height, rgb };
}

// Gives { is_checked, is_good, advice, faces }.
export async function frame(video) {
  const { width, height, rgb } = picture(video);
  const query = new URLSearchParams({ width, height, film_height: video.videoHeight });
  const answer = await fetch(`/api/framing?${query}`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: rgb });
  if (!answer.ok) throw new Error("not looked at");
  return answer.json();
}

// Light on the face (where none is known: inside the outline), and beside it: mean levels, 0 to 255.
export function light(video, face) {
  const { width, height } = SMALL;
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.drawImage(video, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height);
  const side = face ? face.side * height / 2 : 10;
  const [x0, y0] = face ? [face.x * width, face.y * height] : [width / 2, height * 0.44];
  const squeeze = width / height / (video.videoWidth / video.videoHeight); // the small picture is wide, whatever the film is
  const sums = [[0, 0], [0, 0]];
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) {
    const i = 4 * (width * y + x);
    const part = sums[Math.hypot((x - x0) / squeeze, y - y0) < side ? 0 : 1];
    part[0] += (data[i] + 2 * data[i + 1] + data[i + 2]) / 4;
    part[1] += 1;
  }
  return sums.map(([sum, count]) => sum / Math.max(count, 1));
}
