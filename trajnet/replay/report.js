"use strict";

// The page has four parts: the data (decoded once), the scene view (canvas), playback, and the panel (tables, charts).

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const drawing = data.drawing;
// One run for each model; what others have in the block ends with @1, @2, ...
const runs = [data, ...data.others].map((run) => ({ ...run, drawing: { ...drawing, ...run.drawing } }));
let doc = data.document; // of the run that the panel shows
const SOURCES = ["model", "physics", "stale", "judged"];
const HISTORY_S = 3;
const CLOSE_M = 90;

const fixed = (value, digits) => (value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits));
const milliseconds = (value) => (value === null ? "–" : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "style") made.style.cssText = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// ---------------------------------------------------------------------------------------------------------------- data

async function inflate(text) {
  const packed = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

function arrays(buffer) {
  const kinds = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i2: Int16Array, i4: Int32Array };
  const found = {};
  for (const [name, [kind, offset, size]] of Object.entries(data.block)) found[name] = new kinds[kind](buffer, offset, size);
  return found;
}

// The arrays of one run: the shared ones and its own.
function arraysOfRun(all, index) {
  const ending = `@${index}`, own = Object.entries(all).filter(([name]) => index && name.endsWith(ending));
  return { ...all, ...Object.fromEntries(own.map(([name, values]) => [name.slice(0, -ending.length), values])) };
}

// Points of every drawn mode, in metres from the object: the sums of the second differences, modulo 16 bits.
function decodePoints(a, perMode, scale_m) {
  const points = new Float32Array(a.point_low.length);
  for (let start = 0; start < points.length; start += 2 * perMode) {
    for (let axis = 0; axis < 2; axis++) {
      let step = 0, value = 0;
      for (let i = 0; i < perMode; i++) {
        const at = start + 2 * i + axis;
        step += (a.point_low[at] | (a.point_high[at] << 8));
        value += step;
        points[at] = ((value << 16) >> 16) * scale_m;
      }
    }
  }
  return points;
}

class Recording {
  constructor(a, run) {
    this.a = a;
    this.run = run;
    this.frames = a.time_ms.length;
    this.perMode = run.drawing.path_time_s.length;
    this.points = decodePoints(a, this.perMode, run.drawing.point_scale_m);
    this.modeStart = new Uint32Array(a.drawn.length + 1);
    a.drawn.forEach((count, i) => { this.modeStart[i + 1] = this.modeStart[i] + count; });
    this.predictedFrame = new Int32Array(this.frames);
    for (let f = 0, last = -1; f < this.frames; f++) this.predictedFrame[f] = last = a.predicted[f] ? f : last;
    this.rowFrame = new Uint32Array(a.row_track.length);
    this.rowsOfTrack = drawing.track_ids.map(() => []);
    this.rowOf = Array.from({ length: this.frames }, () => new Map());
    for (let f = 0; f < this.frames; f++) {
      for (let r = a.row_start[f]; r < a.row_start[f + 1]; r++) {
        this.rowFrame[r] = f;
        this.rowOf[f].set(a.row_track[r], r);
        this.rowsOfTrack[a.row_track[r]].push(r);
      }
    }
  }

  get endMs() { return this.a.time_ms[this.frames - 1]; }

  frameAt(ms) {
    const times = this.a.time_ms;
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (times[middle] <= ms) low = middle; else high = middle - 1;
    }
    return low;
  }

  x(row) { return this.a.row_cm[2 * row] / 100; }
  y(row) { return this.a.row_cm[2 * row + 1] / 100; }
  ms(row) { return this.a.time_ms[this.rowFrame[row]]; }

  // Where a track is at a time in ms: between its row in this frame and its row in the next.
  pose(track, frame, ms) {
    const row = this.rowOf[frame].get(track);
    if (row === undefined) return null;
    const next = frame + 1 < this.frames ? this.rowOf[frame + 1].get(track) : undefined;
    const pose = { row, track, x: this.x(row), y: this.y(row), heading: this.a.row_heading[row] / 1e4, speed: this.a.row_speed[row] / 100, known: this.a.row_known[row] };
    if (next !== undefined) {
      const share = (ms - this.a.time_ms[frame]) / (this.a.time_ms[frame + 1] - this.a.time_ms[frame]);
      pose.x += share * (this.x(next) - pose.x);
      pose.y += share * (this.y(next) - pose.y);
      let turn = this.a.row_heading[next] / 1e4 - pose.heading;
      if (turn > Math.PI) turn -= 2 * Math.PI;
      if (turn < -Math.PI) turn += 2 * Math.PI;
      pose.heading += share * turn;
      pose.speed += share * (this.a.row_speed[next] / 100 - pose.speed);
    }
    return pose;
  }

  // The recorded positions of a track between two times in ms.
  between(track, fromMs, toMs) {
    return this.rowsOfTrack[track].filter((r) => this.ms(r) >= fromMs && this.ms(r) <= toMs).map((r) => [this.x(r), this.y(r)]);
  }

  // The recorded position at a time in ms, or null where the recording has none around it (gap above 1 s).
  recorded(track, ms) {
    const rows = this.rowsOfTrack[track];
    const after = rows.findIndex((r) => this.ms(r) >= ms);
    if (after < 0) return null;
    const right = rows[after];
    if (this.ms(right) === ms) return [this.x(right), this.y(right)];
    if (after === 0 || this.ms(right) - this.ms(rows[after - 1]) > 1000) return null;
    const left = rows[after - 1];
    const share = (ms - this.ms(left)) / (this.ms(right) - this.ms(left));
    return [this.x(left) + share * (this.x(right) - this.x(left)), this.y(left) + share * (this.y(right) - this.y(left))];
  }

  // The prediction for a track that is in force in a frame: modes in order of falling probability.
  prediction(track, frame) {
    const at = this.predictedFrame[frame];
    if (at < 0) return null;
    const row = this.rowOf[at].get(track);
    if (row === undefined) return null;
    const index = this.a.prediction_start[at] + row - this.a.row_start[at];
    const x = this.x(row), y = this.y(row), count = this.run.drawing.modes, modes = [];
    for (let m = 0; m < this.a.drawn[index]; m++) {
      const mode = this.modeStart[index] + m;
      const path = [[x, y]];
      for (let i = 0; i < this.perMode; i++) {
        const p = 2 * (mode * this.perMode + i);
        path.push([x + this.points[p], y + this.points[p + 1]]);
      }
      modes.push({ path, mode, probability: this.a.probability[index * count + m] / 255 });
    }
    const shares = Array.from(this.a.probability.subarray(index * count, (index + 1) * count), (v) => v / 255);
    return { modes, shares, source: SOURCES[this.a.source[index]], ms: this.a.time_ms[at] };
  }

  ellipse(mode, which) {
    const at = 3 * (mode * this.run.drawing.ellipse_points.length + which), q = this.a.ellipse;
    return { major: (q[at] / 25) ** 2, minor: (q[at + 1] / 25) ** 2, angle: (q[at + 2] / 256) * Math.PI - Math.PI / 2 };
  }

  // Mean and final distance of a path from the recorded future, or null where that is not known.
  error(track, prediction, path) {
    let sum = 0, last = 0;
    for (let i = 0; i < this.perMode; i++) {
      const truth = this.recorded(track, Math.round(prediction.ms + 1000 * this.run.drawing.path_time_s[i]));
      if (!truth) return null;
      last = Math.hypot(path[i + 1][0] - truth[0], path[i + 1][1] - truth[1]);
      sum += last;
    }
    return { mean: sum / this.perMode, final: last };
  }
}

// ---------------------------------------------------------------------------------------------------------------- view

const LAYERS = [
  ["lanes", "Lanes", '<path d="M1 2h22M1 10h22" stroke-width="1.3"/>'],
  ["boxes", "Objects", '<rect x="4" y="2" width="16" height="8" rx="2" fill="currentColor" stroke="none"/>'],
  ["history", "History", '<path d="M1 6h22" stroke-dasharray="0.1 4"/>'],
  ["modes", "Predicted modes", '<path d="M1 6h22"/><path d="M1 6c8 0 14 0 22-4" opacity="0.45"/>'],
  ["ellipses", "Covariance (1σ)", '<ellipse cx="12" cy="6" rx="10" ry="4.5" fill="currentColor" fill-opacity="0.25" stroke-width="1"/>'],
  ["truth", "Recorded future", '<path d="M1 6h22" stroke-dasharray="4 3.5" stroke-width="1.6"/>'],
  ["labels", "Ids", '<path d="M8 10 12 2l4 8M9.6 7.5h4.8" stroke-width="1.4"/>'],
];

// What all views have in common: they show the same place, layers and selection.
const SHARED = ["x", "y", "zoom", "smallest", "fitted", "on", "selected", "hovered"];

class View {
  constructor(recording, canvas, shared) {
    this.recording = recording;
    this.canvas = canvas;
    this.context = this.canvas.getContext("2d");
    this.shared = shared;
    this.poses = [];
    this.makeRoads();
    this.raster = drawing.raster ? this.makeRaster() : null;
    this.readColours();
  }

  static sharedState() {
    return { fitted: true, selected: null, hovered: null, on: Object.fromEntries(LAYERS.map(([name]) => [name, name !== "labels"])) };
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["ground", "road", "edge", "middle", "truth", "text", "muted", "card", "accent", ...data.classes];
    this.colour = Object.fromEntries(names.map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
    if (this.raster) this.tintRaster();
  }

  classColour(track) { return this.colour[data.classes[drawing.object_class[track]]]; }

  makeRoads() {
    const { line_end: ends, lane_cm: cm } = this.recording.a;
    const line = (index) => {
      const points = [];
      for (let i = index ? ends[index - 1] : 0; i < ends[index]; i++) points.push([cm[2 * i] / 100, cm[2 * i + 1] / 100]);
      return points;
    };
    const trace = (path, points) => points.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
    this.roads = []; this.edges = new Path2D(); this.middles = new Path2D();
    this.bounds = { left: Infinity, right: -Infinity, bottom: Infinity, top: -Infinity };
    for (let lane = 0; lane < ends.length; lane += 3) {
      const left = line(lane), right = line(lane + 1), area = new Path2D();
      trace(area, left.concat(right.slice().reverse()));
      area.closePath();
      this.roads.push(area);
      trace(this.edges, left);
      trace(this.edges, right);
      trace(this.middles, line(lane + 2));
    }
    for (let r = 0; r < this.recording.a.row_track.length; r++) this.include(this.recording.x(r), this.recording.y(r));
  }

  include(x, y) {
    const b = this.bounds;
    b.left = Math.min(b.left, x); b.right = Math.max(b.right, x); b.bottom = Math.min(b.bottom, y); b.top = Math.max(b.top, y);
  }

  makeRaster() {
    const { columns, rows } = drawing.raster;
    return element("canvas", { width: columns, height: rows });
  }

  tintRaster() {
    const { columns, rows } = drawing.raster, context = this.raster.getContext("2d");
    const probe = element("canvas", { width: 1, height: 1 }).getContext("2d");
    probe.fillStyle = this.colour.road;
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    const image = context.createImageData(columns, rows), bits = this.recording.a.raster;
    for (let i = 0; i < columns * rows; i++) {
      const drivable = (bits[i >> 3] >> (7 - (i & 7))) & 1;
      image.data.set([red, green, blue, drivable ? 255 : 0], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }

  resize() {
    const box = this.canvas.parentElement.getBoundingClientRect();
    this.width = Math.max(box.width, 1); this.height = Math.max(box.height, 1);
    this.ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * this.ratio);
    this.canvas.height = Math.round(this.height * this.ratio);
  }

  fit() {
    const b = this.bounds, wide = Math.max(b.right - b.left, 20) + 12, high = Math.max(b.top - b.bottom, 20) + 12;
    this.x = 0.5 * (b.left + b.right); this.y = 0.5 * (b.bottom + b.top);
    this.zoom = Math.min(this.width / wide, this.height / high, 30);
    this.smallest = 0.25 * this.zoom;
    this.fitted = true;
  }

  // Bring a track into the middle, close enough to see its paths.
  centreOn(track, ms) {
    const rec = this.recording, pose = rec.pose(track, rec.frameAt(ms), ms), row = pose ? null : rec.rowsOfTrack[track][0];
    [this.x, this.y] = pose ? [pose.x, pose.y] : [rec.x(row), rec.y(row)];
    this.zoom = clamp(Math.min(this.width, this.height) / CLOSE_M, this.smallest, 120);
    this.fitted = false;
  }

  zoomAt(factor, sx = this.width / 2, sy = this.height / 2) {
    const [x, y] = this.world(sx, sy);
    this.zoom = clamp(this.zoom * factor, this.smallest, 120);
    this.x = x - (sx - this.width / 2) / this.zoom;
    this.y = y + (sy - this.height / 2) / this.zoom;
    this.fitted = false;
  }

  pan(dx, dy) { this.x -= dx / this.zoom; this.y += dy / this.zoom; this.fitted = false; }
  world(sx, sy) { return [this.x + (sx - this.width / 2) / this.zoom, this.y - (sy - this.height / 2) / this.zoom]; }
  screen(x, y) { return [this.width / 2 + (x - this.x) * this.zoom, this.height / 2 - (y - this.y) * this.zoom]; }

  draw(ms) {
    const c = this.context, rec = this.recording, frame = rec.frameAt(ms), zoom = this.zoom * this.ratio;
    this.frame = frame;
    this.ms = ms;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.fillStyle = this.colour.ground;
    c.fillRect(0, 0, this.canvas.width, this.canvas.height);
    c.setTransform(zoom, 0, 0, -zoom, this.canvas.width / 2 - this.x * zoom, this.canvas.height / 2 + this.y * zoom);
    c.lineJoin = c.lineCap = "round";
    if (this.on.lanes) this.drawRoads();
    this.poses = [...rec.rowOf[frame].keys()].map((track) => rec.pose(track, frame, ms));
    if (this.on.truth) this.poses.forEach((p) => this.drawTruth(p));
    if (this.on.history) this.poses.forEach((p) => this.drawHistory(p));
    const predictions = this.poses.map((p) => rec.prediction(p.track, frame));
    if (this.on.ellipses) this.poses.forEach((p, i) => predictions[i] && this.drawEllipses(p, predictions[i]));
    if (this.on.modes) this.poses.forEach((p, i) => predictions[i] && this.drawModes(p, predictions[i]));
    if (this.on.boxes) this.poses.forEach((p) => this.drawObject(p));
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    if (this.on.labels) this.poses.forEach((p) => this.drawLabel(p));
    this.drawScale();
  }

  pixels(count) { return count / this.zoom; }
  faded(track) { return this.selected !== null && this.selected !== track ? 0.28 : 1; }

  drawRoads() {
    const c = this.context;
    if (this.raster) {
      const { columns, rows, metres_per_pixel: size, low_m: low } = drawing.raster;
      c.imageSmoothingEnabled = true;
      c.drawImage(this.raster, low[0], low[1], columns * size, rows * size);
    }
    c.fillStyle = this.colour.road;
    this.roads.forEach((area) => c.fill(area));
    c.lineWidth = this.pixels(1);
    c.strokeStyle = this.colour.edge;
    c.stroke(this.edges);
    c.strokeStyle = this.colour.middle;
    c.setLineDash([2.5, 3]);
    c.stroke(this.middles);
    c.setLineDash([]);
  }

  line(points, from = 0) {
    const c = this.context;
    c.beginPath();
    points.forEach(([x, y], i) => (i <= from ? c.moveTo(x, y) : c.lineTo(x, y)));
    c.stroke();
  }

  drawTruth(pose) {
    const c = this.context, times = this.recording.run.drawing.path_time_s, horizonMs = 1000 * times[times.length - 1];
    const points = [[pose.x, pose.y], ...this.recording.between(pose.track, this.ms + 1, this.ms + horizonMs)];
    if (points.length < 2) return;
    c.globalAlpha = 0.75 * this.faded(pose.track);
    c.strokeStyle = c.fillStyle = this.colour.truth;
    c.lineWidth = this.pixels(1.5);
    c.setLineDash([this.pixels(5), this.pixels(4.5)]);
    this.line(points);
    c.setLineDash([]);
    const [x, y] = points[points.length - 1];
    c.beginPath();
    c.arc(x, y, this.pixels(2.4), 0, 7);
    c.fill();
    c.globalAlpha = 1;
  }

  drawHistory(pose) {
    const c = this.context;
    const points = [...this.recording.between(pose.track, this.ms - 1000 * HISTORY_S, this.ms), [pose.x, pose.y]];
    c.fillStyle = this.classColour(pose.track);
    const every = Math.max(1, Math.round(points.length / 12));
    for (let i = points.length - 1; i >= 0; i -= every) {
      c.globalAlpha = (0.15 + 0.55 * (i / points.length)) * this.faded(pose.track);
      c.beginPath();
      c.arc(points[i][0], points[i][1], this.pixels(1.8), 0, 7);
      c.fill();
    }
    c.globalAlpha = 1;
  }

  drawEllipses(pose, prediction) {
    const c = this.context;
    c.fillStyle = c.strokeStyle = this.classColour(pose.track);
    c.lineWidth = this.pixels(1);
    for (const { path, mode, probability } of prediction.modes) {
      this.recording.run.drawing.ellipse_points.forEach((point, which) => {
        const { major, minor, angle } = this.recording.ellipse(mode, which), [x, y] = path[point + 1];
        c.beginPath();
        c.ellipse(x, y, major, minor, angle, 0, 2 * Math.PI);
        c.globalAlpha = 0.1 * probability * this.faded(pose.track);
        c.fill();
        c.globalAlpha = 0.4 * probability * this.faded(pose.track);
        c.stroke();
      });
    }
    c.globalAlpha = 1;
  }

  drawModes(pose, prediction) {
    const c = this.context, chosen = this.selected === pose.track;
    c.strokeStyle = c.fillStyle = this.classColour(pose.track);
    if (prediction.source !== "model") c.setLineDash([this.pixels(7), this.pixels(4)]);
    for (const { path, probability } of prediction.modes.slice().reverse()) {
      c.globalAlpha = (0.12 + 0.88 * probability) * this.faded(pose.track);
      c.lineWidth = this.pixels((chosen ? 2.2 : 1.4) + 1.6 * probability);
      this.curve(path);
      const [x, y] = path[path.length - 1];
      c.beginPath();
      c.arc(x, y, this.pixels(1.4 + 2 * probability), 0, 7);
      c.fill();
    }
    c.setLineDash([]);
    c.globalAlpha = 1;
  }

  // A smooth line through all points (Catmull-Rom as Bezier curves).
  curve(points) {
    const c = this.context, at = (i) => points[clamp(i, 0, points.length - 1)];
    c.beginPath();
    c.moveTo(...points[0]);
    for (let i = 0; i + 1 < points.length; i++) {
      const [a, b, d, e] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
      c.bezierCurveTo(b[0] + (d[0] - a[0]) / 6, b[1] + (d[1] - a[1]) / 6, d[0] - (e[0] - b[0]) / 6, d[1] - (e[1] - b[1]) / 6, d[0], d[1]);
    }
    c.stroke();
  }

  drawObject(pose) {
    const c = this.context, [length, width] = drawing.size_m[pose.track], marked = [this.selected, this.hovered].includes(pose.track);
    const round = data.classes[drawing.object_class[pose.track]] === "pedestrian" || !(pose.known & 1);
    c.save();
    c.translate(pose.x, pose.y);
    c.rotate(pose.heading);
    c.globalAlpha = this.faded(pose.track);
    c.fillStyle = this.classColour(pose.track);
    c.strokeStyle = marked ? this.colour.text : this.colour.card;
    c.lineWidth = this.pixels(marked ? 2.2 : 1);
    c.beginPath();
    if (round) {
      c.arc(0, 0, Math.max(0.5 * width, this.pixels(3.6)), 0, 2 * Math.PI);
      c.fill();
      c.stroke();
    } else {
      const long = Math.max(length, this.pixels(8)), wide = Math.max(width, this.pixels(4));
      c.roundRect(-long / 2, -wide / 2, long, wide, Math.min(0.22 * wide, 0.6));
      c.fill();
      c.stroke();
      c.beginPath();  // a light wedge shows the front
      c.moveTo(long / 2 - 0.12 * wide, 0);
      c.lineTo(long / 2 - 0.55 * wide, 0.32 * wide);
      c.lineTo(long / 2 - 0.55 * wide, -0.32 * wide);
      c.closePath();
      c.fillStyle = this.colour.card;
      c.globalAlpha *= 0.85;
      c.fill();
    }
    c.restore();
  }

  drawLabel(pose) {
    const c = this.context, [x, y] = this.screen(pose.x, pose.y), text = drawing.track_ids[pose.track];
    const [length, width] = drawing.size_m[pose.track], up = 0.5 * Math.hypot(length, width) * this.zoom + 4;
    c.globalAlpha = this.faded(pose.track);
    c.font = "11px system-ui, sans-serif";
    c.textAlign = "center";
    c.lineWidth = 3;
    c.strokeStyle = this.colour.ground;
    c.fillStyle = this.colour.text;
    c.strokeText(text, x, y - up);
    c.fillText(text, x, y - up);
    c.globalAlpha = 1;
  }

  drawScale() {
    const target = 110 / this.zoom, power = 10 ** Math.floor(Math.log10(target));
    const metres = [5, 2, 1].map((f) => f * power).find((m) => m <= target);
    $("scale").firstElementChild.textContent = `${metres} m`;
    $("scale").lastElementChild.style.width = `${metres * this.zoom}px`;
  }

  // The object under a point of the canvas, the nearest within reach.
  pick(sx, sy) {
    const [x, y] = this.world(sx, sy);
    let best = null, reach = Infinity;
    for (const pose of this.poses) {
      const [length, width] = drawing.size_m[pose.track], cos = Math.cos(pose.heading), sin = Math.sin(pose.heading);
      const along = Math.abs((x - pose.x) * cos + (y - pose.y) * sin) - length / 2;
      const across = Math.abs((y - pose.y) * cos - (x - pose.x) * sin) - width / 2;
      const distance = Math.hypot(Math.max(along, 0), Math.max(across, 0));
      if (distance < reach && distance * this.zoom < 9) { best = pose.track; reach = distance; }
    }
    return best;
  }
}

for (const name of SHARED) {
  Object.defineProperty(View.prototype, name, { get() { return this.shared[name]; }, set(value) { this.shared[name] = value; } });
}

// ------------------------------------------------------------------------------------------------------------ playback

const ICONS = {
  play: '<svg viewBox="0 0 16 16"><path d="M4 2.2v11.6a.6.6 0 0 0 .9.5l9-5.8a.6.6 0 0 0 0-1l-9-5.8a.6.6 0 0 0-.9.5z"/></svg>',
  pause: '<svg viewBox="0 0 16 16"><rect x="3" y="2" width="3.6" height="12" rx="1"/><rect x="9.4" y="2" width="3.6" height="12" rx="1"/></svg>',
  back: '<svg viewBox="0 0 16 16"><rect x="2.5" y="3" width="2" height="10" rx=".8"/><path d="M13.5 3.6v8.8a.5.5 0 0 1-.8.4L6.3 8.4a.5.5 0 0 1 0-.8l6.4-4.4a.5.5 0 0 1 .8.4z"/></svg>',
  forward: '<svg viewBox="0 0 16 16"><rect x="11.5" y="3" width="2" height="10" rx=".8"/><path d="M2.5 3.6v8.8a.5.5 0 0 0 .8.4l6.4-4.4a.5.5 0 0 0 0-.8L3.3 3.2a.5.5 0 0 0-.8.4z"/></svg>',
  theme: '<svg viewBox="0 0 16 16"><path d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.6v10.8a5.4 5.4 0 0 1 0-10.8z"/></svg>',
};

class Player {
  constructor(recording, views) {
    this.recording = recording;
    this.views = views;
    this.ms = 0;
    this.playing = false;
    this.last = null;
    this.waiting = false;
    this.onTime = () => {};
    $("scrub").max = recording.endMs;
    this.showPlaying();
  }

  get frame() { return this.recording.frameAt(this.ms); }

  seek(ms) {
    this.ms = clamp(ms, 0, this.recording.endMs);
    this.redraw();
  }

  step(frames) {
    this.pause();
    const times = this.recording.a.time_ms;
    this.seek(times[clamp(this.frame + frames, 0, times.length - 1)]);
  }

  play() {
    if (this.playing) return;
    if (this.ms >= this.recording.endMs) this.ms = 0;
    this.playing = true;
    this.last = null;
    this.showPlaying();
    this.redraw();
  }

  pause() { this.playing = false; this.showPlaying(); }
  toggle() { this.playing ? this.pause() : this.play(); }

  showPlaying() {
    $("play").innerHTML = this.playing ? ICONS.pause : ICONS.play;
    $("play").setAttribute("aria-label", this.playing ? "Pause" : "Play");
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    this.waiting = false;
    if (this.playing) {
      if (this.last !== null) this.ms += (now - this.last) * Number($("speed").value);
      this.last = now;
      if (this.ms > this.recording.endMs) this.ms = 0;
    }
    this.render();
    if (this.playing) this.redraw();
  }

  render() {
    this.views.forEach((view) => view.draw(this.ms));
    $("scrub").value = this.ms;
    $("clock").textContent = `${(this.ms / 1000).toFixed(1)} / ${(this.recording.endMs / 1000).toFixed(1)} s`;
    this.onTime(this.ms, this.frame);
  }
}

function setUpPointer(view, player) {
  const canvas = view.canvas, held = new Map();
  let moved = 0;
  const place = (event) => [event.offsetX, event.offsetY];
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, place(event));
    moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event), before = held.get(event.pointerId);
    if (!before) return hover(view, player, x, y);
    if (held.size === 1) {
      view.pan(x - before[0], y - before[1]);
    } else {
      const other = [...held].find(([id]) => id !== event.pointerId)[1];
      view.zoomAt(Math.hypot(x - other[0], y - other[1]) / Math.max(Math.hypot(before[0] - other[0], before[1] - other[1]), 1), (x + other[0]) / 2, (y + other[1]) / 2);
    }
    moved += Math.hypot(x - before[0], y - before[1]);
    canvas.classList.toggle("dragging", moved > 4);
    held.set(event.pointerId, [x, y]);
    player.redraw();
  });
  const release = (event) => {
    const [x, y] = place(event);
    if (held.delete(event.pointerId) && moved <= 4 && event.type === "pointerup") select(view, player, view.pick(x, y));
    canvas.classList.remove("dragging");
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => hover(view, player, -1e6, -1e6));
  canvas.addEventListener("dblclick", () => { view.fit(); player.redraw(); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    view.zoomAt(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...place(event));
    player.redraw();
  }, { passive: false });
}

function hover(view, player, sx, sy) {
  const track = view.pick(sx, sy), tip = $("tip");
  view.canvas.classList.toggle("over", track !== null);
  tip.hidden = track === null;
  if (track !== null) {
    const prediction = view.recording.prediction(track, view.frame), pose = view.poses.find((p) => p.track === track);
    const speed = pose.known & 2 ? ` · ${pose.speed.toFixed(1)} m/s` : "";
    tip.textContent = `${data.classes[drawing.object_class[track]]} ${drawing.track_ids[track]}${speed}${prediction ? ` · ${prediction.source} ${Math.round(100 * prediction.shares[0])} %` : ""}`;
    const { offsetLeft: left, offsetTop: top } = view.canvas.parentElement;
    tip.style.left = `${left + clamp(sx + 14, 4, Math.max(4, view.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${top + clamp(sy + 16, 4, Math.max(4, view.height - 34))}px`;
  }
  if (track !== view.hovered) { view.hovered = track; player.redraw(); }
}

function select(view, player, track) {
  view.selected = track;
  player.redraw();
}

function showDetail(views) {
  const view = views[0], box = $("detail"), track = view.selected;
  box.hidden = track === null;
  if (track === null) return;
  const pose = view.poses.find((p) => p.track === track), colour = view.classColour(track), [length, width] = drawing.size_m[track];
  const close = element("button", { type: "button", "aria-label": "Close", id: "deselect" }, "×");
  const heading = element("header", {}, element("i", { class: "dot", style: `background:${colour}` }), element("span", { title: drawing.track_ids[track] }, drawing.track_ids[track]), close);
  const facts = [["class", data.classes[drawing.object_class[track]]], ["size", `${length.toFixed(1)} × ${width.toFixed(1)} m`]];
  if (pose) {
    facts.push(["speed", pose.known & 2 ? `${pose.speed.toFixed(1)} m/s` : "not measured"]);
    facts.push(["heading", pose.known & 1 ? `${Math.round((pose.heading * 180) / Math.PI)}°` : "not measured"]);
  } else {
    facts.push(["now", "not observed"]);
  }
  box.replaceChildren(heading, definitions(element("dl"), facts), ...(pose ? views.flatMap((each) => pathDetail(each, track, colour, views.length > 1)) : []));
}

// What one model says about a track: where its paths come from, their error, their probabilities.
function pathDetail(view, track, colour, named) {
  const rec = view.recording, prediction = rec.prediction(track, view.frame);
  const head = named ? [element("h3", {}, modelName(runs.indexOf(rec.run)))] : [];
  if (!prediction) return head;
  const facts = [["path from", prediction.source]], bars = element("div", { class: "bars" });
  const error = rec.error(track, prediction, prediction.modes[0].path);
  if (error) facts.push(["error, mean / final", `${error.mean.toFixed(2)} / ${error.final.toFixed(2)} m`]);
  prediction.shares.forEach((share, i) => {
    bars.append(element("span", {}, `${i + 1}`), element("b", { style: `width:${Math.max(100 * share, 1)}%;background:${colour};opacity:${0.3 + 0.7 * share}` }), element("span", {}, `${(100 * share).toFixed(0)} %`));
  });
  return [...head, definitions(element("dl"), facts), bars];
}

function definitions(list, facts) {
  for (const [name, value] of facts) list.append(element("dt", {}, name), element("dd", {}, String(value)));
  return list;
}

function setUpControls(view, player) {
  $("back").innerHTML = ICONS.back;
  $("forward").innerHTML = ICONS.forward;
  $("theme").innerHTML = ICONS.theme;
  $("play").onclick = () => player.toggle();
  $("back").onclick = () => player.step(-1);
  $("forward").onclick = () => player.step(1);
  $("scrub").oninput = () => { player.last = null; player.seek(Number($("scrub").value)); };
  $("zoom-in").onclick = () => { view.zoomAt(1.4); player.redraw(); };
  $("zoom-out").onclick = () => { view.zoomAt(1 / 1.4); player.redraw(); };
  $("fit").onclick = () => { view.fit(); player.redraw(); };
  $("detail").addEventListener("click", (event) => { if (event.target.id === "deselect") select(view, player, null); });
  for (const [name, title, icon] of LAYERS) {
    const button = element("button", { type: "button", id: `layer-${name}`, "aria-pressed": String(view.on[name]) });
    button.innerHTML = `<svg viewBox="0 0 24 12">${icon}</svg>`;
    button.append(title);
    button.onclick = () => {
      view.on[name] = !view.on[name];
      button.setAttribute("aria-pressed", String(view.on[name]));
      player.redraw();
    };
    $("layers").append(button);
  }
  const speeds = [...$("speed").options].map((o) => o.value);
  const faster = (by) => { $("speed").value = speeds[clamp(speeds.indexOf($("speed").value) + by, 0, speeds.length - 1)]; };
  const keys = {
    " ": () => player.toggle(),
    ArrowLeft: (e) => (e.shiftKey ? player.seek(player.ms - 1000) : player.step(-1)),
    ArrowRight: (e) => (e.shiftKey ? player.seek(player.ms + 1000) : player.step(1)),
    ArrowUp: () => faster(1),
    ArrowDown: () => faster(-1),
    Home: () => player.seek(0),
    End: () => player.seek(player.recording.endMs),
    "+": () => $("zoom-in").onclick(),
    "=": () => $("zoom-in").onclick(),
    "-": () => $("zoom-out").onclick(),
    f: () => $("fit").onclick(),
    t: () => $("theme").onclick(),
    Escape: () => select(view, player, null),
  };
  LAYERS.forEach(([name], i) => { keys[String(i + 1)] = () => $(`layer-${name}`).click(); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT" || event.target.tagName === "SUMMARY") return;
    if (event.key === " " && event.target.tagName === "BUTTON" && event.target.id !== "play") return;
    const act = keys[event.key] || keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act(event);
  });
}

// --------------------------------------------------------------------------------------------------------------- panel

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const STAGE_NAMES = { wait: "wait", tracks: "track update", model: "model", output: "output", total: "total" };

function table(target, head, rows) {
  const heads = head.map((cells) => element("tr", {}, ...cells.map((cell) => element("th", {}, cell))));
  const body = rows.map(({ cells, strong, best = [] }) =>
    element("tr", strong ? { class: "strong" } : {}, ...cells.map((cell, i) => element("td", best.includes(i) ? { class: "best" } : {}, cell))));
  $(target).replaceChildren(element("thead", {}, ...heads), element("tbody", {}, ...body));
}

function niceTicks(high, count) {
  const raw = high / count, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= raw);
  const ticks = [];
  for (let value = 0; value <= high + 1e-9; value += step) ticks.push(Number(value.toPrecision(6)));
  return ticks;
}

function logTicks(low, high) {
  const ticks = [], narrow = high / low < 300;
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const f of narrow ? [1, 2, 5] : [1]) {
      const value = f * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push(Number(value.toPrecision(3)));
    }
  }
  return ticks;
}

class Panel {
  constructor(recordings, player) {
    this.recordings = recordings;
    this.player = player;
    this.stage = "total";
    this.showHead();
    this.showCompared();
    this.use(0);
    for (const name of data.stages) {
      const button = element("button", { type: "button", "data-stage": name }, STAGE_NAMES[name]);
      button.onclick = () => { this.stage = name; this.drawCharts(); };
      $("stages").append(button);
    }
  }

  // Show the figures of one run.
  use(index) {
    this.recording = this.recordings[index];
    doc = runs[index].document;
    const stages = data.stages.length, all = this.recording.a.latency_us;
    this.latency = Object.fromEntries(data.stages.map((name, s) => [name, Array.from({ length: all.length / stages }, (_, f) => all[f * stages + s] / 1000)]));
    this.showTiles();
    this.showTables();
    this.showFaults();
    this.showFacts(runs[index]);
    [...$("models").children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));
  }

  // A row for each figure, a column for each model, the best of a row marked.
  showCompared() {
    if (runs.length < 2) return;
    $("compare-card").hidden = false;
    runs.forEach((_, i) => {
      const button = element("button", { type: "button", "data-model": String(i) }, modelName(i));
      button.onclick = () => { this.use(i); this.drawCharts(); };
      $("models").append(button);
    });
    $("compare-note").textContent = data.compared.note;
    table("compare-table", [["", ...data.compared.models]], data.compared.rows.map(([label, values, digits]) => {
      const known = values.filter((v) => v !== null), least = Math.min(...known);
      const best = values.flatMap((v, i) => (known.length > 1 && v === least && digits !== null ? [i + 1] : []));
      return { cells: [label, ...values.map((v) => (v === null ? "–" : digits === null ? v.toLocaleString("en") : fixed(v, digits)))], best };
    }));
  }

  showHead() {
    const rate = doc.load.rate === "max" ? "as fast as possible" : `${doc.load.rate}× real time`;
    $("scene").textContent = doc.scene.id;
    $("subtitle").textContent = `${runs.map((run) => run.document.model.name).join(" beside ")} · ${doc.scene.tracks} tracks, ${doc.scene.frames} frames, ${doc.scene.duration_s.toFixed(1)} s · ${rate}`;
    const present = data.classes.map((name, c) => [name, drawing.object_class.filter((o) => o === c).length]).filter(([, n]) => n);
    $("classes").replaceChildren(...present.map(([name, n]) => element("span", {}, element("i", { class: "dot", style: `background:var(--${name})` }), `${name} ${n}`)));
    if (drawing.prediction_stride > 1) $("classes").append(element("span", {}, `predictions of every ${drawing.prediction_stride}. frame are in this file`));
  }

  showTiles() {
    const total = doc.latency_ms.total, all = doc.errors_m.model.groups.all, top = all ? all.minADE_1 : null;
    const gain = all && doc.errors_m.model.predictor !== "cv" ? 1 - top / doc.errors_m.cv.groups.all.minADE_1 : null;
    const tile = (value, unit, text, kind = "") => element("div", { class: `tile ${kind}` }, element("b", {}, value, element("small", {}, unit)), element("span", {}, text));
    const missed = doc.deadline.misses;
    $("tiles").replaceChildren(
      tile(milliseconds(total.p50), " ms", doc.load.rate === "max" ? "median service time" : "median latency"),
      tile(milliseconds(total.p99), " ms", `p99 of ${total.count} frames`),
      tile(String(missed), ` of ${doc.deadline.frames}`, `missed the ${doc.deadline.budget_ms} ms deadline`, missed ? "bad" : "good"),
      tile(fixed(top, 2), " m", gain === null ? "mean error, most probable path" : `mean error, ${Math.abs(gain) < 0.005 ? "the same as" : `${Math.abs(100 * gain).toFixed(0)} % ${gain > 0 ? "below" : "above"}`} CV`, gain >= 0.005 ? "good" : ""),
    );
  }

  showTables() {
    const load = doc.load, hardware = doc.hardware;
    const from = load.rate === "max" ? "Service time only: each frame was offered when the one before was done." : `Open loop at ${load.rate}× real time, latency from the scheduled time of each frame.`;
    $("latency-note").textContent = `${from} ${load.agents_per_frame_max} agents at most, warm-up of ${load.warmup_frames} frames left out, ${hardware.cpu}, ${hardware.provider}, ${hardware.threads} thread${hardware.threads === 1 ? "" : "s"}.`;
    table("latency-table", [["ms", "p50", "p95", "p99", "max", "frames"]], data.stages.map((name) => {
      const s = doc.latency_ms[name];
      return { cells: [STAGE_NAMES[name], milliseconds(s.p50), milliseconds(s.p95), milliseconds(s.p99), milliseconds(s.max), String(s.count)], strong: name === "total" };
    }));
    const rivals = doc.errors_m.model.predictor !== "cv";
    const k = doc.model.modes, groups = Object.keys(doc.errors_m.model.groups), many = k > 1;
    if (!groups.length) {
      $("errors-note").textContent = "No object's whole future is recorded: the scene is too short, or its frames are too far apart.";
      return;
    }
    $("errors-note").textContent = `Mean / final displacement in metres at ${doc.errors_m.model.horizon_s} s of every observed object whose future is recorded. Moving: ends 2 m or more away.`;
    const head = [["objects", "most probable", ...(many ? [`best of ${k}`] : []), "const. velocity"]];
    table("errors-table", head, groups.map((name) => {
      const mine = doc.errors_m.model.groups[name], cv = doc.errors_m.cv.groups[name] || {};
      const pair = (a, f) => `${fixed(a, 2)} / ${fixed(f, 2)}`;
      const label = element("span", {}, name, element("small", {}, mine.count.toLocaleString("en")));
      const cells = [label, pair(mine.minADE_1, mine.minFDE_1), ...(many ? [pair(mine[`minADE_${k}`], mine[`minFDE_${k}`])] : []), pair(cv.minADE_1, cv.minFDE_1)];
      return { cells, strong: name === "all", best: rivals ? [mine.minADE_1 <= cv.minADE_1 ? 1 : cells.length - 1] : [] };
    }));
  }

  showFaults() {
    $("faults-card").hidden = !doc.faults;
    if (!doc.faults) return;
    const runs = doc.faults.runs, k = doc.model.modes, many = k > 1, usual = ["frames", "calls", "model_rows", "last_failure"];
    $("faults-note").textContent = `Mean displacement in metres of the newest path that a consumer holds, at ${runs[0].judged.toLocaleString("en")} objects and instants, the same in every row; in brackets without the fault. Served as fast as possible, ms.`;
    const pair = (run, name) => `${fixed(run.errors_m[name], 2)} (${fixed(run.errors_m_without[name], 2)})`;
    table("faults-table", [["fault", "most probable", ...(many ? [`best of ${k}`] : []), "no path", "p99"]], runs.map((run) => {
      const name = run.fault === "none" ? "none" : `${run.fault.replaceAll("_", " ")} ${run.strength}`;
      const counters = Object.entries(run.counters).filter(([key, value]) => value && !usual.includes(key)).map(([key, value]) => `${key} ${value}`);
      const label = element("span", { title: `${doc.faults.strengths[run.fault] || "no fault"}; counted: ${counters.join(", ")}` }, name);
      return { cells: [label, pair(run, "minADE_1"), ...(many ? [pair(run, `minADE_${k}`)] : []), `${(100 * run.missing_share).toFixed(1)} %`, milliseconds(run.service_ms.p99)], strong: run.fault === "none" };
    }));
  }

  showFacts(run) {
    const own = Object.entries(run.contract);
    $("contract").replaceChildren();
    $("run").replaceChildren();
    definitions($("contract"), own.length ? own : [["name", doc.model.name], ["kind", "physics, nothing learned"], ["modes", doc.model.modes], ["horizon", `${doc.model.horizon_s} s in ${doc.model.steps} steps`]]);
    $("card").hidden = !run.card;
    $("card").querySelector("pre").textContent = run.card;
    const h = doc.hardware, g = doc.guard, t = doc.tracks, f = doc.frames;
    definitions($("run"), [
      ["cpu", `${h.cpu}, ${h.cores_usable} of ${h.cores} cores`], ["platform", h.platform], ["provider", `${h.provider}, ${h.threads} thread${h.threads === 1 ? "" : "s"}`],
      ["ONNX Runtime", h.onnxruntime ?? "not installed"], ["Python, trajnet", `${h.python}, ${doc.trajnet}`],
      ["agents per frame", `${doc.load.agents_per_frame_min} to ${doc.load.agents_per_frame_max}, mean ${doc.load.agents_per_frame_mean.toFixed(1)}`],
      ["frames", `${f.served} served, ${f.dropped} dropped, ${f.late} late, backlog at most ${f.backlog_max}`],
      ["tracks", `${t.born} born, ${t.removed} removed`],
      ["rows", `${g.model_rows} model, ${g.physics_rows} physics, ${g.stale_rows} stale`],
      ["self-judging", data.self_judging],
      ["failures", `${g.failures} calls, ${g.non_finite_rows} rows not finite`],
      ["scene", doc.scene.source || doc.scene.id], ["scene's licence", doc.scene.licence || "not stated"],
    ]);
  }

  drawCharts() {
    for (const button of $("stages").children) button.setAttribute("aria-pressed", String(button.dataset.stage === this.stage));
    this.drawHistogram();
    this.drawTimeline();
    this.drawHorizon();
  }

  canvas(target, height, description) {
    const width = Math.max($(target).clientWidth, 200);
    const made = svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": description });
    $(target).replaceChildren(made);
    return [made, width];
  }

  drawHistogram() {
    const height = 200, top = 56, bottom = height - 24, [chart, width] = this.canvas("histogram", height, "Histogram of the latency");
    const values = this.latency[this.stage].slice(doc.load.warmup_frames).map((v) => Math.max(v, 0.001)), figures = doc.latency_ms[this.stage];
    const budget = this.stage === "total" ? doc.deadline.budget_ms : null;
    const low = Math.min(...values) / 1.3, high = Math.max(...values, budget ?? 0) * 1.3, bins = 44, left = 2, right = width - 8;
    const place = (v) => left + ((Math.log(Math.max(v, low)) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (right - left);
    const counts = new Array(bins).fill(0);
    for (const v of values) counts[clamp(Math.floor(((place(v) - left) / (right - left)) * bins), 0, bins - 1)]++;
    const most = Math.max(...counts), wide = (right - left) / bins;
    for (const tick of logTicks(low, high)) {
      chart.append(svg("line", { class: "gridline", x1: place(tick), x2: place(tick), y1: top, y2: bottom }));
      if (place(tick) < right - 26) chart.append(svg("text", { x: place(tick), y: height - 8, "text-anchor": "middle" }, String(tick)));
    }
    counts.forEach((count, i) => {
      const tall = (count / most) * (bottom - top);
      if (count) chart.append(svg("rect", { x: left + i * wide + 0.5, width: wide - 1, y: bottom - tall, height: tall, rx: 1.5, fill: "var(--accent)" }, svg("title", {}, `${count} frames`)));
    });
    chart.append(svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }), svg("text", { x: right, y: height - 8, "text-anchor": "end", "font-style": "italic" }, "ms"));
    const marks = [["p50", figures.p50, "var(--text)"], ["p95", figures.p95, "var(--text)"], ["p99", figures.p99, "var(--text)"]];
    if (budget !== null) marks.push(["budget", budget, "var(--bad)"]);
    marks.forEach(([name, value, colour], i) => {
      const x = place(Math.max(value, low)), y = 10 + 13 * i, end = x > width - 90;
      chart.append(
        svg("line", { x1: x, x2: x, y1: y - 8, y2: bottom, stroke: colour, "stroke-width": 1.2, "stroke-dasharray": name === "budget" ? "5 3" : "2 2" }),
        svg("text", { x: end ? x - 4 : x + 4, y, "text-anchor": end ? "end" : "start", style: `fill:${colour}` }, `${name} ${milliseconds(value)}`),
      );
    });
  }

  drawTimeline() {
    const height = 104, top = 8, bottom = height - 20, left = 34, [chart, width] = this.canvas("timeline", height, "Latency of each frame over the replay"), right = width - 8;
    const values = this.latency[this.stage], times = this.recording.a.time_ms, end = Math.max(this.recording.endMs, 1);
    const budget = this.stage === "total" ? doc.deadline.budget_ms : Infinity, most = Math.max(...values) || 1;
    const high = Math.max(most * 1.08, budget < 2.5 * most ? budget * 1.1 : 0), x = (ms) => left + (ms / end) * (right - left), y = (v) => bottom - (v / high) * (bottom - top);
    for (const tick of niceTicks(high, 3)) {
      chart.append(svg("line", { class: "gridline", x1: left, x2: right, y1: y(tick), y2: y(tick) }), svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, String(tick)));
    }
    for (const tick of niceTicks(end / 1000, 5)) chart.append(svg("text", { x: x(tick * 1000), y: height - 5, "text-anchor": tick * 1000 > 0.96 * end ? "end" : "middle" }, `${tick} s`));
    const warm = doc.load.warmup_frames;
    if (warm) chart.append(svg("rect", { x: left, y: top, width: x(times[Math.min(warm, times.length - 1)]) - left, height: bottom - top, fill: "var(--muted)", opacity: 0.13 }, svg("title", {}, "warm-up, left out of the figures")));
    chart.append(svg("path", { d: values.map((v, i) => `${i ? "L" : "M"}${x(times[i]).toFixed(1)} ${y(v).toFixed(1)}`).join(""), fill: "none", stroke: "var(--accent)", "stroke-width": 1.3, "stroke-linejoin": "round" }));
    if (budget <= high) chart.append(svg("line", { x1: left, x2: right, y1: y(budget), y2: y(budget), stroke: "var(--bad)", "stroke-dasharray": "5 3" }));
    values.forEach((v, i) => { if (v > budget && i >= warm) chart.append(svg("circle", { cx: x(times[i]), cy: y(v), r: 1.6, fill: "var(--bad)" })); });
    this.cursor = svg("line", { y1: top - 4, y2: bottom, stroke: "var(--text)", "stroke-width": 1.2, opacity: 0.7 });
    this.cursorAt = x;
    chart.append(this.cursor, svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }));
    chart.style.cursor = "pointer";
    chart.onclick = (event) => this.player.seek(((event.clientX - chart.getBoundingClientRect().left - left) / (right - left)) * end);
    this.showTime(this.player.ms);
  }

  showTime(ms) {
    if (!this.cursor) return;
    this.cursor.setAttribute("x1", this.cursorAt(ms));
    this.cursor.setAttribute("x2", this.cursorAt(ms));
  }

  drawHorizon() {
    const mine = doc.errors_m.model, cv = doc.errors_m.cv;
    $("horizon").hidden = !mine.time_s.length;
    if (!mine.time_s.length) return;
    const height = 162, top = 10, bottom = height - 20, left = 30, [chart, width] = this.canvas("horizon", height, "Mean error over the predicted time"), right = width - 8;
    const series = [["constant velocity", cv.error_1_m, "var(--muted)", "5 4"]];
    if (mine.predictor !== "cv") series.push([doc.model.modes > 1 ? "most probable mode" : doc.model.name, mine.error_1_m, "var(--accent)", ""]);
    if (doc.model.modes > 1) series.push([`best of ${doc.model.modes}`, mine.error_k_m, "var(--good)", ""]);
    const high = Math.max(...series.flatMap(([, values]) => values)) * 1.05 || 1, end = mine.horizon_s;
    const x = (t) => left + (t / end) * (right - left), y = (v) => bottom - (v / high) * (bottom - top);
    for (const tick of niceTicks(high, 4)) chart.append(svg("line", { class: "gridline", x1: left, x2: right, y1: y(tick), y2: y(tick) }), svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, String(tick)));
    for (const tick of niceTicks(end, 6)) chart.append(svg("text", { x: x(tick), y: bottom + 15, "text-anchor": tick > 0.96 * end ? "end" : "middle" }, `${tick} s`));
    chart.append(svg("text", { x: left + 5, y: top + 4 }, "mean error, m"));
    for (const [name, values, colour, dash] of series) {
      const points = [[0, 0], ...mine.time_s.map((t, i) => [t, values[i]])];
      chart.append(svg("path", { d: points.map(([t, v], i) => `${i ? "L" : "M"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join(""), fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash, "stroke-linejoin": "round" }));
      points.slice(1).forEach(([t, v]) => chart.append(svg("circle", { cx: x(t), cy: y(v), r: 2.3, fill: colour }, svg("title", {}, `${name}: ${v.toFixed(2)} m at ${t} s`))));
    }
    const key = ([name, , colour, dash]) => element("span", {}, svg("svg", { viewBox: "0 0 22 6" }, svg("line", { x1: 1, x2: 21, y1: 3, y2: 3, stroke: colour, "stroke-width": 2, "stroke-dasharray": dash })), name);
    $("horizon").append(element("div", { class: "legend" }, ...series.map(key)));
    chart.append(svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }));
  }
}

// --------------------------------------------------------------------------------------------------------------- start

// #t=12.5&play=0&theme=dark&select=ID opens the page in that state; track=ID also brings the object into the middle.
function wishes() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
}

// Go to the time and the track that the address asks for.
function follow(wish, player) {
  const view = player.views[0], asked = wish.track ?? wish.select, track = drawing.track_ids.indexOf(asked);
  player.ms = clamp(Math.round(1000 * Number(wish.t || 0)) || 0, 0, player.recording.endMs);
  if (asked !== undefined) view.selected = track < 0 ? null : track;
  if (wish.track !== undefined && track >= 0) view.centreOn(track, player.ms);
  if (wish.play === "0") player.pause();
}

// The model of a run, with its id where two have the same name.
const modelName = (index) => data.compared.models[index];

// A canvas for each model, with its name where there are several.
function makeCanvases() {
  const first = $("view");
  return runs.map((run, i) => {
    const canvas = i ? element("canvas", { tabindex: "0", role: "img", "aria-label": first.getAttribute("aria-label") }) : first;
    if (i) $("panes").append(element("div", { class: "pane" }, canvas));
    if (runs.length > 1) canvas.parentElement.append(element("span", { class: "model" }, modelName(i)));
    return canvas;
  });
}

async function start() {
  const wish = wishes(), dark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(wish.theme || (dark.matches ? "dark" : "light"));
  const all = arrays(await inflate($("block").textContent)), shared = View.sharedState();
  const recordings = runs.map((run, i) => new Recording(arraysOfRun(all, i), run));
  const views = makeCanvases().map((canvas, i) => new View(recordings[i], canvas, shared));
  const view = views[0], player = new Player(recordings[0], views), panel = new Panel(recordings, player);
  const themed = (name) => { setTheme(name); views.forEach((each) => each.readColours()); player.redraw(); };
  $("theme").onclick = () => themed(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  if (!wish.theme) dark.addEventListener("change", () => themed(dark.matches ? "dark" : "light"));
  player.onTime = (ms) => { panel.showTime(ms); showDetail(views); };
  setUpControls(view, player);
  views.forEach((each) => setUpPointer(each, player));
  const resized = () => {
    views.forEach((each) => each.resize());
    if (view.fitted) view.fit();
    panel.drawCharts();
    player.render();
  };
  resized();
  follow(wish, player);
  player.render();
  new ResizeObserver(resized).observe($("stage"));
  addEventListener("hashchange", () => { follow(wishes(), player); player.redraw(); });
  if (wish.play !== "0" && !matchMedia("(prefers-reduced-motion: reduce)").matches) player.play();
  document.documentElement.dataset.ready = "true";
}

start().catch((error) => {
  $("subtitle").textContent = `This page could not be shown: ${error.message}`;
  throw error;
});
