
/* The diptych: two variants side by side in viewers that turn together, and their depth maps in one place */

function startDiptych(root) {
  const { variants, colors, scenes } = JSON.parse(document.getElementById("study").textContent);
  const panels = [...root.querySelectorAll(".panel")], viewers = panels.map(makeViewer);
  const selects = panels.map((panel) => panel.querySelector("[name=variant]"));
  const sceneSelect = root.querySelector("[name=scene]"), photoSelect = root.querySelector("[name=photo]");
  const range = root.querySelector("[name=range]"), linked = root.querySelector("[name=linked]");
  const depthRoot = root.querySelector(".facing");
  const canvases = Object.fromEntries(["left", "right", "difference"].map((name) =>
    [name, root.querySelector(`canvas[data-map=${name}]`)]));
  const palette = colors.map((color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16)));
  const works = viewers.every(Boolean), controls = works && makeControls(root, viewers);
  const scene = () => scenes[+sceneSelect.value];
  const chosen = () => selects.map((select) => +select.value);

  if (works) for (const [i, viewer] of viewers.entries()) {
    const other = viewers[1 - i];
    viewer.moved = (view) => linked.checked && other.model && other.look(view);
    viewer.picked = (camera) => {
      viewer.choose(camera);
      if (!linked.checked || !other.model) return;
      const name = viewer.model.cameras[camera]?.name;
      other.choose(other.model.cameras.findIndex((each) => each.name === name));
      const place = scene().depths.findIndex((photo) => photo.name === name);
      if (place >= 0) showPhoto(place);
    };
  }

  function showScene(index) {
    sceneSelect.value = index;
    for (const [i, select] of selects.entries()) for (const option of select.options) {
      const has = option.value in scene().models;
      option.textContent = variants[option.value] + (has ? "" : " (no model)");
    }
    photoSelect.replaceChildren(...scene().depths.map(({ name }, i) => new Option(name, i)));
    depthRoot.hidden = !scene().depths.length;
    for (const viewer of viewers) viewer?.look(null);
    showVariants();
  }

  function showVariants() {
    for (const [i, variant] of chosen().entries()) {
      const model = scene().models[variant], said = panels[i].querySelector(".said");
      viewers[i]?.show(model ?? null);
      const seed = scene().seeds[variant];
      said.textContent = model ? `seed ${seed}: ${scene().said[variant]}` : scene().said[variant] ?? "";
      panels[i].classList.toggle("empty", !model);
    }
    if (works) {
      const [first, second] = viewers[0].model ? viewers : [viewers[1], viewers[0]];
      if (linked.checked && first.view && second.model) second.look(first.view);
      if (first.model) controls.refresh();
    }
    if (scene().depths.length) showPhoto(+photoSelect.value);
  }

  /* Depths of a photo from the logarithms they are stored as; 0 is none */
  function depthsOf(photo, variant) {
    const packed = photo.maps[variant];
    if (!packed) return null;
    photo.unpacked ??= {};
    return photo.unpacked[variant] ??= Float32Array.from(new Uint16Array(bytesOf(packed).buffer), (code) =>
      code ? photo.low * Math.exp((code - 1) / 65534 * photo.span) : 0);
  }

  function paint(canvas, photo, colorAt) {
    const image = new ImageData(photo.width, photo.height);
    for (let i = 0; i < photo.width * photo.height; i++) image.data.set(colorAt(i), 4 * i);
    Object.assign(canvas, { width: photo.width, height: photo.height });
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  const none = [163, 160, 153, 255];

  function depthColor(photo, depth) {
    if (!depth) return none;
    const t = clamp((1 / depth - 1 / photo.far) / (1 / photo.near - 1 / photo.far), 0, 1) * (palette.length - 1);
    const at = Math.min(Math.floor(t), palette.length - 2);
    return mix(palette[at], palette[at + 1], t - at);
  }

  /* Red where the right one is farther, blue where it is nearer; violet only the left has a depth, green only the right */
  function differenceColor(left, right, most) {
    if (!left && !right) return none;
    if (!left) return [118, 160, 112, 255];
    if (!right) return [150, 122, 168, 255];
    const t = clamp((right / left - 1) / most, -1, 1);
    return mix([247, 245, 240], t > 0 ? [178, 24, 43] : [33, 102, 172], Math.abs(t));
  }

  function showPhoto(index) {
    photoSelect.value = index;
    const photo = scene().depths[index], names = chosen().map((variant) => variants[variant]);
    const empty = new Float32Array(photo.width * photo.height);
    const [left, right] = chosen().map((variant) => depthsOf(photo, variant) ?? empty);
    paint(canvases.left, photo, (i) => depthColor(photo, left[i]));
    paint(canvases.right, photo, (i) => depthColor(photo, right[i]));
    paint(canvases.difference, photo, (i) => differenceColor(left[i], right[i], +range.value / 100));
    root.querySelector("img[data-map=photo]").src = photo.picture;
    const labels = root.querySelectorAll(".facing .wipe span");
    names.forEach((name, i) => labels[i].textContent = name);
    depthRoot.style.setProperty("--shape", photo.width / photo.height);
    root.querySelector(".difference-scale").replaceChildren(...[`−${range.value} %, right is nearer`,
      `right is farther, +${range.value} %`].map((text) => Object.assign(document.createElement("i"), { textContent: text })));

    const both = [], alone = [0, 0];
    left.forEach((depth, i) => {
      if (depth && right[i]) both.push(right[i] / depth - 1);
      else if (depth) alone[0]++;
      else if (right[i]) alone[1]++;
    });
    both.sort((a, b) => a - b);
    const share = (count) => `${(100 * count / left.length).toFixed(1)} %`;
    const near = both.filter((d) => Math.abs(d) < 0.01).length / (both.length || 1);
    root.querySelector(".difference-said").textContent = both.length
      ? `Both have a depth at ${share(both.length)} of the pixels, only the left at ${share(alone[0])} (violet), only the `
        + `right at ${share(alone[1])} (green). Median difference ${signed(100 * both[both.length >> 1])} %; `
        + `${(100 * near).toFixed(1)} % of the differences are within 1 %.`
      : "No pixel has a depth in both.";
  }

  const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toPrecision(2);

  sceneSelect.addEventListener("change", () => showScene(+sceneSelect.value));
  for (const select of selects) select.addEventListener("change", showVariants);
  photoSelect.addEventListener("change", () => showPhoto(+photoSelect.value));
  range.addEventListener("change", () => showPhoto(+photoSelect.value));
  linked.addEventListener("change", () => linked.checked && works && viewers[1].look(viewers[0].view));
  for (const button of document.querySelectorAll("[data-beside]")) button.addEventListener("click", () => {
    selects[0].value = 0;
    selects[1].value = button.dataset.beside;
    showVariants();
    root.scrollIntoView({ block: "start" });
  });
  showScene(0);
}

for (const root of document.querySelectorAll(".diptych")) startDiptych(root);
