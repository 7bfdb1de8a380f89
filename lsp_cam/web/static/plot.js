// A stacked area of the last minute, on a canvas.
export const SHADES = [1, 0.78, 0.58, 0.4, 0.25];

const MARGIN_PX = 52; // for the scale, which would not be read on the areas

export function draw(canvas, rows, seconds) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  if (canvas.width !== width * scale) [canvas.width, canvas.height] = [width * scale, height * scale];
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const most = Math.max(200, ...rows.map((row) => row.parts.reduce((a, b) => a + b, 0))) * 1.15;
  const y = (ms) => height - ms / most * height;
  const now = rows.at(-1)?.at ?? 0;
  const x = (at) => width - (now - at) / 1000 / seconds * (width - MARGIN_PX);
  const sums = rows.map(() => 0);
  for (let part = 0; part < (rows[0]?.parts.length ?? 0); part += 1) {
    pen.beginPath();
    rows.forEach((row, i) => pen.lineTo(x(row.at), y(sums[i])));
    rows.forEach((row, i) => { sums[i] += row.parts[part]; });
    for (let i = rows.length - 1; i >= 0; i -= 1) pen.lineTo(x(rows[i].at), y(sums[i]));
    pen.closePath();
    pen.globalAlpha = SHADES[part];
    pen.fillStyle = style.getPropertyValue("--accent");
    pen.fill();
  }
  pen.globalAlpha = 1;
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.fillStyle = style.getPropertyValue("--quiet");
  const step = most > 1500 ? 500 : most > 600 ? 200 : 100;
  for (let ms = step; ms < most; ms += step) {
    pen.globalAlpha = 0.25;
    pen.fillRect(MARGIN_PX, Math.round(y(ms)), width, 1);
    pen.globalAlpha = 1;
    pen.fillText(`${ms} ms`, 0, Math.max(y(ms), 7));
  }
}
