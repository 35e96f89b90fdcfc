"use strict";

/* Vectors */

const add = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const scale = (a, s) => [a[0] * s, a[1] * s, a[2] * s];
const sub = (a, b) => add(a, scale(b, -1));
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a) => scale(a, 1 / (Math.hypot(...a) || 1));
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const mix = (a, b, s) => [0, 1, 2].map((i) => a[i] + (b[i] - a[i]) * s).concat(255);

/* Shaders: points as discs, surfaces as discs or triangles, edges of the frusta as lines of even width, one photo in its
   frustum */

const DISC = `
  in vec3 tint;
  void main() {
    float radius = 2.0 * length(gl_PointCoord - 0.5), soft = fwidth(radius);
    if (radius > 1.0) discard;
    pixel = vec4(tint, 1.0 - smoothstep(1.0 - soft, 1.0, radius));
  }`;

const POINT = [`
  uniform mat4 clip; uniform float size, focus;
  in vec3 position, color; out vec3 tint;
  void main() {
    gl_Position = clip * vec4(position, 1);
    gl_PointSize = size * clamp(focus / gl_Position.w, 0.6, 3.0);
    tint = color;
  }`, DISC];

/* Shading 0 is the color of the photos, 1 a plain body lit from the eye, 2 the direction of the normal */
const SURFACE = `
  uniform mat4 clip; uniform float size, focus; uniform vec3 low, span, eye; uniform int shading;
  in vec3 position, normal, color; out vec3 tint;
  void main() {
    vec3 at = low + span * position;
    gl_Position = clip * vec4(at, 1);
    gl_PointSize = size * clamp(focus / gl_Position.w, 0.6, 3.0);
    float light = abs(dot(normalize(normal + 1e-6), normalize(eye - at)));
    tint = shading == 0 ? color : shading == 1 ? vec3(0.9, 0.88, 0.83) * (0.15 + 0.85 * light) : 0.5 + 0.5 * normal;
  }`;
const CLOUD = [SURFACE, DISC];
const MESH = [SURFACE, `
  in vec3 tint;
  void main() { pixel = vec4(tint, 1); }`];

const LINE = [`
  uniform mat4 clip; uniform vec2 screen; uniform float depth, width, chosen; uniform vec3 quiet, loud;
  in vec3 apex, from, to; in float owner; out vec3 tint;
  void main() {
    vec4 a = clip * vec4(apex + depth * from, 1), b = clip * vec4(apex + depth * to, 1);
    const float near = 1e-4;
    if (a.w < near) a = mix(a, b, (near - a.w) / (b.w - a.w));
    if (b.w < near) b = mix(b, a, (near - b.w) / (a.w - b.w));
    vec2 along = normalize((b.xy / b.w - a.xy / a.w) * screen + 1e-9);
    bool is_chosen = owner == chosen;
    gl_Position = gl_VertexID < 2 ? a : b;
    float side = (gl_VertexID & 1) == 0 ? 1.0 : -1.0;
    gl_Position.xy += side * (is_chosen ? 2.0 : 1.0) * width * vec2(-along.y, along.x) / screen * gl_Position.w;
    tint = is_chosen ? loud : quiet;
  }`, `
  in vec3 tint;
  void main() { pixel = vec4(tint, 1); }`];

const PICTURE = [`
  uniform mat4 clip; uniform vec3 corner[4]; out vec2 at;
  void main() {
    gl_Position = clip * vec4(corner[gl_VertexID], 1);
    at = vec2(gl_VertexID == 1 || gl_VertexID == 2, gl_VertexID > 1);
  }`, `
  uniform sampler2D picture; in vec2 at;
  void main() { pixel = vec4(texture(picture, at).rgb, 1); }`];

function program(gl, [vertex, fragment]) {
  const made = gl.createProgram();
  const head = "#version 300 es\nprecision highp float;\n";
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, "out vec4 pixel;" + fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, head + text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made) || "shader");
  return { made, at: (name) => gl.getUniformLocation(made, name) };
}

const TYPES = new Map([
  [Uint8Array, "UNSIGNED_BYTE"], [Int8Array, "BYTE"], [Uint16Array, "UNSIGNED_SHORT"], [Float32Array, "FLOAT"]]);

/* fields: name and number of components, in the order in which they lie in the buffer; whole numbers stand for 0 to 1,
   or -1 to 1 */
function vertices(gl, { made }, buffers, perInstance) {
  const array = gl.createVertexArray();
  gl.bindVertexArray(array);
  for (const { data, fields } of buffers) {
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    const bytes = data.BYTES_PER_ELEMENT, type = gl[TYPES.get(data.constructor)];
    const stride = bytes * fields.reduce((sum, [, count]) => sum + count, 0);
    let offset = 0;
    for (const [name, count] of fields) {
      const place = gl.getAttribLocation(made, name);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, count, type, bytes < 4, stride, offset);
      gl.vertexAttribDivisor(place, perInstance ? 1 : 0);
      offset += bytes * count;
    }
  }
  gl.bindVertexArray(null);
  return array;
}

function bytesOf(text) {
  const characters = atob(text), bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

function load(gl, programOf, packed) {
  const position = new Float32Array(bytesOf(packed.points).buffer);
  const edges = packed.cameras.flatMap(({ apex, corners }, owner) =>
    corners.flatMap((corner, i) => [
      [...apex, 0, 0, 0, ...corner, owner],
      [...apex, ...corner, ...corners[(i + 1) % 4], owner],
    ]));
  return {
    ...packed, position, count: position.length / 3, edges: edges.length, surfaces: {},
    dots: vertices(gl, programOf("points"), [
      { data: position, fields: [["position", 3]] }, { data: bytesOf(packed.colors), fields: [["color", 3]] }]),
    lines: vertices(gl, programOf("line"), [
      { data: new Float32Array(edges.flat()), fields: [["apex", 3], ["from", 3], ["to", 3], ["owner", 1]] }], true),
  };
}

function loadSurface(gl, { made }, packed) {
  const array = vertices(gl, { made }, [
    { data: new Uint16Array(bytesOf(packed.positions).buffer), fields: [["position", 3]] },
    { data: new Int8Array(bytesOf(packed.normals).buffer), fields: [["normal", 3]] },
    { data: bytesOf(packed.colors), fields: [["color", 3]] }], false);
  if (!packed.triangles) return { ...packed, array, count: bytesOf(packed.colors).length / 3 };
  const triangles = new Uint32Array(bytesOf(packed.triangles).buffer);
  gl.bindVertexArray(array);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STATIC_DRAW);
  gl.bindVertexArray(null);
  return { ...packed, array, count: triangles.length };
}

/* The view: an orbit around a target, with `up` upright */

const TAN = Math.tan(Math.PI / 8);

function axes(model, view) {
  const ahead = unit(sub(model.forward, scale(model.up, dot(model.forward, model.up))));
  const aside = cross(ahead, model.up);
  const level = add(scale(ahead, Math.cos(view.yaw)), scale(aside, Math.sin(view.yaw)));
  const forward = add(scale(level, Math.cos(view.pitch)), scale(model.up, Math.sin(view.pitch)));
  const right = unit(cross(forward, model.up));
  return { right, up: cross(right, forward), forward };
}

const eyeOf = (model, view) => sub(view.target, scale(axes(model, view).forward, view.distance));

function clipMatrix(model, view, aspect) {
  const { right, up, forward } = axes(model, view), eye = eyeOf(model, view);
  const near = view.distance / 200, far = view.distance * 5000;
  const x = scale(right, 1 / (TAN * aspect));
  const y = scale(up, 1 / TAN);
  const z = scale(forward, (far + near) / (far - near));
  const last = [-dot(x, eye), -dot(y, eye), -dot(z, eye) - 2 * far * near / (far - near), -dot(forward, eye)];
  return [0, 1, 2].flatMap((i) => [x[i], y[i], z[i], forward[i]]).concat(last);
}

function project(clip, [x, y, z], box) {
  const w = clip[3] * x + clip[7] * y + clip[11] * z + clip[15];
  const at = (row) => (clip[row] * x + clip[row + 4] * y + clip[row + 8] * z + clip[row + 12]) / w;
  return w > 0 ? [(at(0) + 1) / 2 * box.width, (1 - at(1)) / 2 * box.height] : [Infinity, Infinity];
}

/* The first view looks where the cameras look, from behind them, a little from above and from the side, and as near as
   nine in ten points and cameras allow; cameras far off do not make the points small */
function firstView(model, aspect) {
  const pitch = Math.asin(clamp(dot(model.forward, model.up), -1, 1));
  const view = { target: [0, 0, 0], distance: 1, yaw: 0.3, pitch: clamp(pitch - 0.22, -1.4, 1.4) };
  const { right, up, forward } = axes(model, view), step = Math.ceil(model.count / 4000) || 1;
  const inView = (p) => [dot(p, right), dot(p, up), dot(p, forward)];
  const points = [], cameras = model.cameras.map(({ apex }) => inView(apex));
  for (let i = 0; i < model.count; i += step) points.push(inView(model.position.subarray(3 * i, 3 * i + 3)));
  const quantile = (values, q) => values.sort((a, b) => a - b)[Math.round(q * (values.length - 1))];
  const over = (combine, q, of) => combine(...[points, cameras].filter((set) => set.length).map((set) => quantile(set.map(of), q)));
  const [x, y] = [0, 1].map((i) => (over(Math.min, 0.05, (p) => p[i]) + over(Math.max, 0.95, (p) => p[i])) / 2);
  view.target = add(scale(right, x), scale(up, y));
  const needed = (p) => Math.max(Math.abs(p[0] - x) / aspect, Math.abs(p[1] - y)) / TAN - p[2];
  const nearly = (set) => (set.length ? quantile(set.map(needed), 0.92) : 0);
  const toPoints = nearly(points) || 1;
  view.distance = 1.1 * clamp(nearly(cameras), toPoints, 3 * toPoints);
  return view;
}

/* The viewer: one canvas that shows one model at a time, several of which may stand on a page. `moved` is called with
   the view after a person has moved it, so that another viewer can follow with `look`. */

function makeViewer(root) {
  const canvas = root.querySelector("canvas"), panel = root.querySelector(".chosen");
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: false });
  if (!gl) {
    root.classList.add("without-webgl");
    return null;
  }
  const shaders = { points: POINT, cloud: CLOUD, depth: CLOUD, mesh: MESH, line: LINE, picture: PICTURE }, programs = {};
  const programOf = (name) => programs[name] ??= program(gl, shaders[name]);
  const loaded = new WeakMap(), bare = gl.createVertexArray(), texture = gl.createTexture();
  const style = { layer: "points", shading: 0, pointSize: 2, cameraSize: 0 };
  let model = null, view = null, chosen = -1, pictured = -1, waiting = false;

  const aspect = () => canvas.clientWidth / canvas.clientHeight || 1;
  const frustumDepth = () => model.frustum * 2 ** style.cameraSize;
  const redraw = () => {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  };
  const color = (name) => {
    const text = getComputedStyle(root).getPropertyValue(name).trim();
    return [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16) / 255);
  };

  function size() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    return [ratio, Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  }

  function draw() {
    waiting = false;
    const [ratio, width, height] = size();
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.clearColor(...color("--ground"), 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (!model || !view) return;
    const clip = clipMatrix(model, view, aspect());
    gl.enable(gl.DEPTH_TEST);

    const layer = model[style.layer] ? style.layer : "points";
    const line = programOf("line"), matter = programOf(layer);
    const surface = layer !== "points" && (model.surfaces[layer] ??= loadSurface(gl, matter, model[layer]));
    gl.useProgram(matter.made);
    gl.uniformMatrix4fv(matter.at("clip"), false, clip);
    gl.uniform1f(matter.at("size"), style.pointSize * ratio);
    gl.uniform1f(matter.at("focus"), view.distance);
    if (surface) {
      gl.uniform3fv(matter.at("low"), surface.low);
      gl.uniform3fv(matter.at("span"), surface.span);
      gl.uniform3fv(matter.at("eye"), eyeOf(model, view));
      gl.uniform1i(matter.at("shading"), style.shading);
    }
    gl.bindVertexArray(surface ? surface.array : model.dots);
    if (layer === "mesh") gl.drawElements(gl.TRIANGLES, surface.count, gl.UNSIGNED_INT, 0);
    else {
      gl.enable(gl.SAMPLE_ALPHA_TO_COVERAGE);
      gl.drawArrays(gl.POINTS, 0, surface ? surface.count : model.count);
      gl.disable(gl.SAMPLE_ALPHA_TO_COVERAGE);
    }

    if (pictured >= 0) {
      const { apex, corners } = model.cameras[pictured], picture = programOf("picture");
      gl.useProgram(picture.made);
      gl.uniformMatrix4fv(picture.at("clip"), false, clip);
      gl.uniform3fv(picture.at("corner"), corners.flatMap((ray) => add(apex, scale(ray, frustumDepth()))));
      gl.bindVertexArray(bare);
      gl.drawArrays(gl.TRIANGLE_FAN, 0, 4);
    }
    gl.useProgram(line.made);
    gl.uniformMatrix4fv(line.at("clip"), false, clip);
    gl.uniform2f(line.at("screen"), width, height);
    gl.uniform1f(line.at("depth"), frustumDepth());
    gl.uniform1f(line.at("width"), 1.4 * ratio);
    gl.uniform1f(line.at("chosen"), chosen);
    gl.uniform3fv(line.at("quiet"), color("--frustum"));
    gl.uniform3fv(line.at("loud"), color("--accent"));
    gl.bindVertexArray(model.lines);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, model.edges);
  }

  function choose(camera) {
    chosen = camera;
    pictured = -1;
    const card = document.getElementById(`photo-${model.cameras[camera]?.photo}`);
    const parts = card ? [...card.querySelectorAll("img, figcaption")] : [];
    panel.replaceChildren(...parts.map((part) => part.cloneNode(true)));
    panel.hidden = !card;
    redraw();
    const source = card?.querySelector("img");
    if (!source) return;
    const image = new Image();
    image.src = source.src;
    image.decode().then(() => {
      if (chosen !== camera) return;
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, image);
      gl.generateMipmap(gl.TEXTURE_2D);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
      pictured = camera;
      redraw();
    });
  }

  function show(packed) {
    if (packed && !loaded.has(packed)) loaded.set(packed, load(gl, programOf, packed));
    model = packed ? loaded.get(packed) : null;
    if (model) view ??= firstView(model, aspect());
    if (model) choose(-1);
    else panel.hidden = true;
    redraw();
  }

  function look(from) {
    view = from && { ...from };
    redraw();
  }

  function reset() {
    look(model && firstView(model, aspect()));
  }

  function pick(x, y) {
    if (!model) return -1;
    const box = { width: canvas.clientWidth, height: canvas.clientHeight };
    const clip = clipMatrix(model, view, aspect());
    const distances = model.cameras.map(({ apex, corners }) => {
      const middle = scale(corners.reduce(add), frustumDepth() / 4);
      return Math.min(...[0, 0.5, 1].map((s) => {
        const [u, v] = project(clip, add(apex, scale(middle, s)), box);
        return Math.hypot(u - x, v - y);
      }));
    });
    const best = distances.reduce((least, distance, i) => (distance < distances[least] ? i : least), 0);
    return distances[best] < 22 ? best : -1;
  }

  function turn(dx, dy) {
    view.yaw += 0.006 * dx;
    view.pitch = clamp(view.pitch - 0.006 * dy, -1.55, 1.55);
  }

  function pan(dx, dy) {
    const { right, up } = axes(model, view), step = 2 * TAN * view.distance / canvas.clientHeight;
    view.target = add(view.target, add(scale(right, -dx * step), scale(up, dy * step)));
  }

  function zoom(factor) {
    view.distance = clamp(view.distance * factor, 1e-3, 1e4);
  }

  function act(move) {
    if (!model) return;
    move();
    redraw();
    viewer.moved(view);
  }

  /* One finger or button turns; two fingers, the right button or shift pan; pinch and wheel zoom */
  const held = new Map();
  let travelled = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (!held.size) travelled = 0;
    held.set(event.pointerId, [event.offsetX, event.offsetY]);
  });
  canvas.addEventListener("pointermove", (event) => {
    const here = [event.offsetX, event.offsetY], before = held.get(event.pointerId);
    if (!before) {
      canvas.style.cursor = pick(...here) < 0 ? "" : "pointer";
      return;
    }
    const [dx, dy] = [here[0] - before[0], here[1] - before[1]];
    travelled += Math.abs(dx) + Math.abs(dy);
    act(() => {
      if (held.size > 1) {
        const other = [...held].find(([id]) => id !== event.pointerId)[1];
        const gap = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
        zoom(gap(before) / gap(here));
        pan(dx / 2, dy / 2);
      } else if (event.shiftKey || event.buttons & 6) pan(dx, dy);
      else turn(dx, dy);
    });
    held.set(event.pointerId, here);
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => {
    held.delete(event.pointerId);
    const isClick = kind === "pointerup" && travelled < 6 && event.button === 0;
    if (isClick && model) viewer.picked(pick(event.offsetX, event.offsetY));
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    act(() => zoom(Math.exp(clamp(event.deltaY * (event.deltaMode ? 16 : 1), -200, 200) / 600)));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const move = {
      ArrowLeft: () => turn(-12, 0), ArrowRight: () => turn(12, 0), ArrowUp: () => turn(0, -12),
      ArrowDown: () => turn(0, 12), "+": () => zoom(0.9), "-": () => zoom(1.1), Escape: () => viewer.picked(-1),
    }[event.key];
    if (!move) return;
    event.preventDefault();
    act(move);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  // The observer also speaks at the start, when the first picture has just been drawn.
  new ResizeObserver(() => {
    const [, width, height] = size();
    if (canvas.width !== width || canvas.height !== height) redraw();
  }).observe(canvas);

  const viewer = {
    show, choose, look, reset,
    get view() { return view; },
    get model() { return model; },
    get chosen() { return chosen; },
    restyle: (change) => { Object.assign(style, change); redraw(); },
    moved: () => {}, picked: choose,
  };
  return viewer;
}

/* The controls of one viewer, or of several at once. `refresh` is to be called when another model is shown. */

function makeControls(root, viewers) {
  const layers = [...root.querySelectorAll("[name=layer]")], shading = root.querySelector("[name=shading]");
  const sliders = { points: root.querySelector("[name=points]"), cameras: root.querySelector("[name=cameras]") };
  const models = () => viewers.map((viewer) => viewer.model).filter(Boolean);
  const depths = globalThis.makeDepthChoice?.(root, (packed) => {
    if (!packed) return refresh();
    const [model] = models();
    model.depth = packed;
    delete model.surfaces.depth;
    showLayer("depth");
  });
  let layer = null;

  function restyle() {
    for (const viewer of viewers) viewer.restyle({
      layer: layer ?? "points", shading: +(shading?.value ?? 0), pointSize: +sliders.points.value,
      cameraSize: +sliders.cameras.value });
  }

  function showLayer(name) {
    layer = name;
    if (depths && layer !== "depth") depths.value = "";
    for (const choice of layers) choice.checked = choice.value === layer;
    if (shading) shading.disabled = layer === "points";
    sliders.points.disabled = layer === "mesh";
    const most = Math.max(0, ...models().map((model) => model.count));
    sliders.points.value = layer === "cloud" || layer === "depth" ? 2.5 : clamp(7.5 - Math.log10(most + 1), 1.5, 4.5);
    restyle();
  }

  function refresh() {
    const has = (name) => models().some((model) => model[name]);
    for (const choice of layers) choice.parentElement.hidden = !has(choice.value);
    depths?.list(models()[0]?.depths ?? []);
    for (const part of root.querySelectorAll(".layers, .shading")) part.hidden = !(has("cloud") || has("mesh"));
    showLayer(layer && has(layer) ? layer : ["mesh", "cloud"].find(has) ?? "points");
  }

  for (const slider of Object.values(sliders)) slider.addEventListener("input", restyle);
  shading?.addEventListener("change", restyle);
  for (const choice of layers) choice.addEventListener("change", () => showLayer(choice.value));
  root.querySelector("[name=reset]").addEventListener("click", () => {
    viewers[0].reset();
    viewers[0].moved(viewers[0].view);
  });
  return { refresh };
}
