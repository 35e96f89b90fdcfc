
/* Keypoints over a photo, in three colors: those only found, then the matched, last the triangulated */

const keypoints = JSON.parse(document.getElementById("keypoints")?.textContent ?? "{}");
const ranks = [...document.querySelectorAll("[name=keypoints]")];

function drawKeypoints(canvas) {
  const packed = keypoints[canvas.dataset.photo], box = canvas.getBoundingClientRect();
  if (!packed || !box.width) return;
  packed.xy ??= new Uint16Array(bytesOf(packed.at).buffer);
  const ratio = devicePixelRatio || 1, pen = canvas.getContext("2d"), style = getComputedStyle(canvas);
  Object.assign(canvas, { width: Math.round(box.width * ratio), height: Math.round(box.height * ratio) });
  const size = ratio * clamp(box.width / 300, 0.8, 2.6), [toX, toY] = [canvas.width / 65535, canvas.height / 65535];
  for (const { value, checked } of ranks) {
    if (!checked) continue;
    pen.fillStyle = style.getPropertyValue(["--found", "--matched", "--triangulated"][value]);
    for (let i = value > 0 ? packed.ends[value - 1] : 0; i < packed.ends[value]; i++)
      pen.fillRect(packed.xy[2 * i] * toX - size / 2, packed.xy[2 * i + 1] * toY - size / 2, size, size);
  }
}

function startKeypoints() {
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      seen[isIntersecting ? "add" : "delete"](target);
      if (isIntersecting) drawKeypoints(target);
    }
  }, { rootMargin: "200px" });
  const redraw = () => seen.forEach(drawKeypoints);
  for (const canvas of document.querySelectorAll(".keypoints")) watch.observe(canvas);
  for (const rank of ranks) rank.addEventListener("change", redraw);
  addEventListener("resize", redraw);
}

/* Two pictures in one place, with a slider between them */

document.addEventListener("input", ({ target }) => {
  target.closest(".wipe")?.style.setProperty("--at", `${target.value}%`);
});

/* Pictures, large: the arrow keys change from one to the next in the same place */

function startPictures() {
  const pictures = [...document.querySelectorAll(".picture, .over, .wipe")].filter((each) => each.querySelector("img"));
  if (!pictures.length) return;
  const dialog = document.createElement("dialog"), shown = document.createElement("div");
  const caption = document.createElement("p");
  dialog.className = "enlarged";
  dialog.append(shown, caption);
  document.body.append(dialog);
  let at = 0;

  function show(index) {
    at = (index + pictures.length) % pictures.length;
    const picture = pictures[at], images = [...picture.querySelectorAll("img")], copy = picture.cloneNode(true);
    for (const button of copy.querySelectorAll("button")) button.remove();
    const { naturalWidth, naturalHeight } = images[0];
    shown.style.setProperty("--shape", naturalWidth && naturalHeight ? naturalWidth / naturalHeight : 1.5);
    shown.replaceChildren(...(picture.matches(".picture") ? copy.childNodes : [copy]));
    const count = keypoints[picture.querySelector("canvas")?.dataset.photo]?.counts;
    const name = picture.closest("figure")?.querySelector("figcaption b")?.textContent;
    caption.textContent = name ?? images.map((image) => image.alt).filter(Boolean).reverse().join(" | ");
    if (count) caption.textContent += `: ${count[0] + count[1] + count[2]} keypoints, ${count[1] + count[2]} matched, `
      + `${count[2]} triangulated`;
    if (dialog.open) shown.querySelectorAll("canvas").forEach(drawKeypoints);
  }

  for (const [index, picture] of pictures.entries()) {
    const opener = picture.matches(".picture") ? picture : picture.querySelector(".enlarge");
    opener?.addEventListener("click", () => {
      dialog.showModal();
      show(index);
    });
  }
  dialog.addEventListener("click", ({ target }) => {
    if (!target.closest(".wipe")) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    const step = event.target.matches("input") ? 0 : { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(at + step);
  });
}

/* The matrix of matches: above the diagonal verified ones, below it putative ones */

function startMatrix(figure) {
  const { names, kinds, table } = JSON.parse(document.getElementById("matches").textContent);
  const rows = new Int32Array(bytesOf(table).buffer), n = names.length, found = new Map();
  const canvas = figure.querySelector("canvas"), said = figure.querySelector("output"), pen = canvas.getContext("2d");
  const image = new ImageData(n, n);
  const low = [38, 50, 56], middle = [196, 84, 40], high = [255, 205, 120];
  let most = 1, at = [0, 1];
  for (let i = 0; i < rows.length; i += 5) most = Math.max(most, rows[i + 2], rows[i + 3]);
  const paint = (x, y, count) => {
    const t = count ? 0.1 + 0.9 * Math.sqrt(count / most) : 0;
    image.data.set(t < 0.5 ? mix(low, middle, 2 * t) : mix(middle, high, 2 * t - 1), 4 * (y * n + x));
  };
  paint(0, 0, 0);
  new Uint32Array(image.data.buffer).fill(new Uint32Array(image.data.buffer)[0]);
  for (let i = 0; i < rows.length; i += 5) {
    const [a, b] = [rows[i], rows[i + 1]].sort((p, q) => p - q);
    found.set(a * n + b, rows.subarray(i + 2, i + 5));
    paint(b, a, rows[i + 3]);
    paint(a, b, rows[i + 2]);
  }
  for (let i = 0; i < n; i++) image.data.set([128, 128, 128, 60], 4 * (i * n + i));
  Object.assign(canvas, { width: n, height: n });
  pen.putImageData(image, 0, 0);

  function say(x, y) {
    at = [clamp(x, 0, n - 1), clamp(y, 0, n - 1)];
    const [a, b] = [...at].sort((p, q) => p - q), pair = found.get(a * n + b);
    const what = pair ? `${pair[0]} matches, ${pair[1]} verified: ${kinds[pair[2]]}` : "not matched";
    said.textContent = a === b ? names[a] : `${names[a]} and ${names[b]}: ${what}`;
  }

  const point = ({ offsetX, offsetY }) =>
    say(Math.floor(offsetX / canvas.clientWidth * n), Math.floor(offsetY / canvas.clientHeight * n));
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    say(at[0] + step[0], at[1] + step[1]);
  });
}

startKeypoints();
startPictures();
for (const figure of document.querySelectorAll(".matrix")) startMatrix(figure);
