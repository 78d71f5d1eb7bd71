"use strict";
// The page of `graphlens export -o FILE.html`: draws the graph, opens and closes modules in it.
// Rows are worked out already (see _outline.py); here is how wide things are, and so where they stand.
// Every text from the run is set as text, never as markup.

const data = JSON.parse(document.getElementById("graph").textContent);
const { strings, layouts, leaves, lines, sections } = data;
// _packed.py says how these are short: sums of steps, runs of equal or following numbers, copies.
const sums = (steps) => { let sum = 0; return steps.map((step) => (sum += step)); };
const groups = data.groups.map(([name, kind, parent, size, layout, items]) => (
  { name: strings[name], kind: strings[kind], parent, size, layout, items: sums(items) }));
for (const section of sections) {
  const far = section.homes, keys = sums(far.filter((_, at) => at % 2 === 0));
  section.homes = new Map(keys.map((op, at) => [op, op + far[2 * at + 1]]));
}
const ops = ((packed) => {
  const runs = (pairs, step) => {
    const all = [];
    for (let at = 0; at < pairs.length; at += 2) {
      for (let k = 0; k < pairs[at + 1]; k++) all.push(pairs[at] < 0 ? pairs[at] : pairs[at] + k * step);
    }
    return all;
  };
  const module = runs(packed.module, 0), seq = runs(packed.seq, 1);
  const copies = (parts) => {
    const all = [];
    for (let at = 0; at < parts.length; at += 3) {
      for (const one of parts[at]) all.push(one);
      for (let k = 0; k < parts[at + 2]; k++) all.push(all[all.length - parts[at + 1]]);
    }
    return all;
  };
  const list = (some) => (Array.isArray(some) ? some : [some]);
  let ranged = 0;
  const outputs = (some) => list(some).map((spec) => (
    spec < 0 ? [~spec] : [spec, packed.ranges[ranged++], packed.ranges[ranged++]]));
  const made = (at, one) => (Array.isArray(one) ? [at - one[0], one[1]] : one === null || one < 0 ? one : at - one);
  const kinds = copies(packed.kind), specs = copies(packed.specs), inputs = copies(packed.inputs), twins = copies(packed.twin);
  let twin = 0;
  return kinds.map((kind, at) => {
    const [op, phase, file, line, form] = packed.kinds[kind];
    if (twins[at]) twin += (twins[at] - 1) / 2;
    return [op, module[at], phase, file, line, seq[at], packed.took[at], outputs(specs[at]),
      list(inputs[at]).map((one) => made(at, one)), twins[at] ? twin : -1, form];
  });
})(data.ops);
const [OP, MODULE, PHASE, FILE, LINE, SEQ, TOOK, OUTPUTS, INPUTS, TWIN, FORM] = Array(11).keys();
const GAP = 16, ROW = 30, HEAD = 26, PAD = 14, MOST = 3000;

const byId = (id) => document.getElementById(id);
const svg = byId("picture"), sheet = byId("sheet"), panel = byId("facts"), said = byId("said");

// ── what there is ───────────────────────────────────────────────────────────────────────────

const word = (at) => (at < 0 ? "" : strings[at]);
const short = (op) => {
  const name = word(ops[op][OP]);
  const parts = name.split(".");
  return parts.length === 3 && parts[1] ? parts[1] : name;
};
const home = []; // of each operation: [section, module, the box that stands for it]
sections.forEach((section, at) => {
  const walk = [section.root];
  while (walk.length) {
    const group = walk.pop();
    for (const item of groups[group].items) {
      if (item < 0) walk.push(~item);
      else home[item] = [at, group, item];
    }
  }
});
sections.forEach((section) => {
  for (const [op, box] of section.homes) if (!home[op] && home[box]) home[op] = home[box];
});
const readers = ops.map(() => []);
const makerOf = (input) => (Array.isArray(input) ? input : [input, 0]);
ops.forEach((op, at) => {
  for (const input of op[INPUTS]) if (input !== null) {
    const [maker] = makerOf(input);
    if (maker >= 0 && !readers[maker].includes(at)) readers[maker].push(at);
  }
});
const twins = ops.map(() => []);
ops.forEach((op, at) => { if (op[TWIN] >= 0) twins[op[TWIN]].push(at); });
const sick = new Set();
for (const op of Object.keys(data.ill)) {
  if (!home[op]) continue;
  for (let group = home[op][1]; group >= 0; group = groups[group].parent) sick.add(group);
}
const single = (group) => groups[group].items.length === 1 && groups[group].items[0] >= 0;

const state = { section: 0, open: sections.map((section) => new Set(section.open)), chosen: null };
const view = { x: 0, y: 0, scale: 1 };

// ── sizes and places ────────────────────────────────────────────────────────────────────────

const measure = document.createElement("canvas").getContext("2d");
const widths = new Map();
function width(text, font) {
  const key = font + text;
  if (!widths.has(key)) {
    measure.font = font;
    widths.set(key, measure.measureText(text).width);
  }
  return widths.get(key);
}
const SANS = "Helvetica, Arial, 'Liberation Sans', sans-serif";
const BOLD = `600 12.5px ${SANS}`, PLAIN = `10.5px ${SANS}`;
const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

function card(item) {
  const section = sections[state.section];
  let op = item, name, kind = "", rows = [], group = -1;
  if (item < 0) {
    group = ~item;
    name = cut(groups[group].name, 48);
    kind = cut(groups[group].kind, 40);
    if (single(group)) op = groups[group].items[0];
    else rows = [`${groups[group].size.toLocaleString("en")} ops`];
  } else {
    name = cut(short(op), 48);
  }
  if (op >= 0) {
    if (item < 0) rows.push(short(op));
    rows.push(...(section.params[op] || []).slice(0, 4).map(word));
    if (op in data.enters) rows.push(...data.enters[op].slice(0, 3).map((at) => `▹ ${sections[at].name}`));
    if (data.born.includes(op)) rows.push(`${data.ill[op] === "inf" ? "Inf" : "NaN"} born here`);
  }
  rows = rows.map((row) => cut(row, 60));
  const pill = op >= 0 && ops[op][SEQ] < 0 && ops[op][FORM] < 0;
  const category = op < 0 ? "module" : pill ? "endpoint" : data.categories[ops[op][OP]] || "view";
  const head = width(name, BOLD) + (kind ? 7 + width(kind, PLAIN) : 0) + (item < 0 && op < 0 ? 14 : 0);
  const w = Math.max(48, head, ...rows.map((row) => width(row, PLAIN))) + 24;
  return { item, op, group, name, kind, rows, category, pill, w, h: 25 + 13.5 * rows.length, inX: 0, outX: 0 };
}

/** A module that is open: its boxes with their places, from its upper left corner. */
function frame(group, root) {
  const found = groups[group], layout = layouts[found.layout], open = state.open[state.section];
  const boxes = found.items.map((item) =>
    item < 0 && open.has(~item) && !single(~item) ? frame(~item, false) : card(item));
  const count = layout.items, total = Math.max(count, ...layout.rows.map((row) => Math.max(...row) + 1));
  const half = Array(total).fill(4), row = Array(total).fill(0);
  boxes.forEach((box, at) => { half[at] = box.w / 2; });
  layout.rows.forEach((points, at) => points.forEach((point) => { row[point] = at; }));
  const { x, left, right } = columns(layout, boxes, half, total);
  const high = layout.rows.map((points) => Math.max(0, ...points.map((point) => (boxes[point] ? boxes[point].h : 0))));
  const top = [];
  let y = root ? PAD : HEAD + 10;
  high.forEach((h, at) => {
    if (at) y += Math.max(layout.rows[at - 1].every((p) => !boxes[p]) || layout.rows[at].every((p) => !boxes[p]) ? 14 : ROW);
    top.push(y);
    y += h;
  });
  const title = width(found.name, BOLD) + width(found.kind, PLAIN) + 60;
  const inner = right - left + 2 * PAD, w = root ? inner : Math.max(inner, title);
  const shift = PAD - left + (w - inner) / 2;
  for (let point = 0; point < total; point++) x[point] += shift;
  boxes.forEach((box, at) => { box.x = x[at] - box.w / 2; box.y = top[row[at]] + (high[row[at]] - box.h) / 2; });
  const made = { group, boxes, w, h: y + PAD, layout, mid: x, row, top, high, root, title };
  made.inX = layout.in < 0 ? 0 : x[layout.in] - w / 2;
  made.outX = layout.out < 0 ? 0 : x[layout.out] - w / 2;
  return made;
}

/** The middle of every point: each row in its order, as near as there is room to what it is tied to. */
function columns(layout, boxes, half, total) {
  const x = Array(total).fill(0), up = Array.from({ length: total }, () => []), down = up.map(() => []);
  const port = (point, way) => (boxes[point] ? boxes[point][way] : 0);
  for (const route of layout.routes) {
    const way = layoutRow(layout, route[0]) <= layoutRow(layout, route[route.length - 1]) ? route : [...route].reverse();
    for (let k = 0; k + 1 < way.length; k++) {
      const [a, b] = [way[k], way[k + 1]], from = port(a, "outX"), to = port(b, "inX");
      const weight = boxes[a] && boxes[b] ? 4 : boxes[a] || boxes[b] ? 1 : 3; // what works stands straight
      down[a].push([b, to - from, weight]);
      up[b].push([a, from - to, weight]);
    }
  }
  const settle = (points, wanted) => {
    // Least squares under "in this order, so far apart": blocks that would overlap share their mean.
    const blocks = [];
    let offset = 0;
    points.forEach((point, at) => {
      if (at) offset += half[points[at - 1]] + half[point] + (boxes[point] || boxes[points[at - 1]] ? GAP : 8);
      blocks.push({ sum: (wanted[at][0] - offset) * wanted[at][1], weight: wanted[at][1], points: [[point, offset]] });
      while (blocks.length > 1) {
        const last = blocks[blocks.length - 1], before = blocks[blocks.length - 2];
        if (before.sum / before.weight <= last.sum / last.weight) break;
        blocks.pop();
        before.sum += last.sum;
        before.weight += last.weight;
        before.points.push(...last.points);
      }
    });
    for (const block of blocks) for (const [point, at] of block.points) x[point] = block.sum / block.weight + at;
  };
  for (const points of layout.rows) settle(points, points.map(() => [0, 1]));
  for (let turn = 0; turn < 10; turn++) {
    const order = turn % 2 ? [...layout.rows].reverse() : layout.rows;
    for (const points of order) {
      settle(points, points.map((point) => {
        const near = turn > 7 ? [...up[point], ...down[point]] : turn % 2 ? down[point] : up[point];
        let sum = 0, weight = 0;
        for (const [other, shift, heavy] of near) { sum += (x[other] + shift) * heavy; weight += heavy; }
        return weight ? [sum / weight, Math.min(weight, 9)] : [x[point], 0.1];
      }));
    }
  }
  let left = Infinity, right = -Infinity;
  for (let point = 0; point < total; point++) {
    left = Math.min(left, x[point] - half[point]);
    right = Math.max(right, x[point] + half[point]);
  }
  return { x, left, right };
}
const rowsOf = new Map();
function layoutRow(layout, point) {
  if (!rowsOf.has(layout)) {
    const found = [];
    layout.rows.forEach((points, at) => points.forEach((one) => { found[one] = at; }));
    rowsOf.set(layout, found);
  }
  return rowsOf.get(layout)[point];
}

// ── drawing ─────────────────────────────────────────────────────────────────────────────────

const SVG = "http://www.w3.org/2000/svg";
function draw(kind, facts, parent, text) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(facts)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.appendChild(made);
  return made;
}
const near = (value) => Math.round(value * 10) / 10;

let placed = null, boxAt = new Map();
function render() {
  placed = frame(sections[state.section].root, true);
  sheet.textContent = "";
  boxAt = new Map();
  drawFrame(placed, 0, 0, 0);
  const chosen = state.chosen === null ? null : boxAt.get(state.chosen);
  const first = chosen || boxAt.values().next().value;
  for (const box of boxAt.values()) box.node.setAttribute("tabindex", box === first ? "0" : "-1");
  if (chosen) chosen.node.classList.add("chosen");
  move();
}

function drawFrame(one, left, top, depth) {
  if (!one.root) {
    const group = groups[one.group];
    const node = draw("g", { class: "module", role: "treeitem", "aria-expanded": "true", "data-group": one.group }, sheet);
    node.setAttribute("aria-label", `${group.name} ${group.kind}, ${group.size} operations, open`);
    draw("rect", { x: near(left), y: near(top), width: near(one.w), height: near(one.h), rx: 10,
      class: (depth % 2 ? "frame" : "frame2") + (sick.has(one.group) ? " ill" : "") }, node);
    const text = draw("text", { x: near(left + 12), y: near(top + 17), class: "ink name" }, node, "▾ " + group.name);
    draw("tspan", { dx: 7, class: "mute kind" }, text, group.kind);
    remember(~one.group, node, left, top, one.w, HEAD);
  }
  const { layout } = one;
  for (const route of layout.routes) wire(one, route, left, top);
  one.boxes.forEach((box) => {
    if (box.boxes) drawFrame(box, left + box.x, top + box.y, depth + 1);
    else drawCard(box, left + box.x, top + box.y);
  });
}

function remember(item, node, x, y, w, h) {
  boxAt.set(item, { item, node, x, y, w, h });
  node.addEventListener("click", (event) => { event.stopPropagation(); if (!dragged) act(item); });
}

function drawCard(box, x, y) {
  const { item, op, group, category } = box;
  const ill = op >= 0 ? data.ill[op] : sick.has(group) ? "nan" : undefined;
  const closed = item < 0 && op < 0;
  const node = draw("g", { class: "card", role: "treeitem", "data-op": op, "data-group": group }, sheet);
  if (closed) node.setAttribute("aria-expanded", "false");
  node.setAttribute("aria-label", [box.name, box.kind, ...box.rows, ill ? "not finite" : ""].filter(Boolean).join(", "));
  const round = box.pill || category === "view" || category === "cast" ? box.h / 2 : 5;
  draw("rect", { x: near(x), y: near(y), width: near(box.w), height: near(box.h), rx: near(round),
    class: box.pill ? "end" : `b-${category}` + (closed ? " closed" : "") }, node);
  if (!box.pill && round === 5) draw("rect", { x: near(x), y: near(y + 3), width: 4.5, height: near(box.h - 6), rx: 2, class: `s-${category}` }, node);
  if (ill) draw("rect", { x: near(x - 3), y: near(y - 3), width: near(box.w + 6), height: near(box.h + 6), rx: near(round + 3), class: "hot" }, node);
  const text = draw("text", { x: near(x + 12), y: near(y + 16.5), class: (box.pill ? "onink" : "ink") + " name" }, node, (closed ? "▸ " : "") + box.name);
  if (box.kind) draw("tspan", { dx: 7, class: "mute kind" }, text, box.kind);
  box.rows.forEach((line, at) => draw("text", { x: near(x + 12), y: near(y + 30 + 13.5 * at), class: line.endsWith(" born here") && data.born.includes(op) ? "birth row" : "mute row" }, node, line));
  const spec = op >= 0 && ops[op][OUTPUTS][0];
  if (spec) draw("text", { x: near(x + box.w / 2 + 5), y: near(y + box.h + 11), class: "mute tag" }, node, cut(word(spec[0]), 40));
  remember(item, node, x, y, box.w, box.h);
}

function wire(one, route, left, top) {
  const { boxes, mid, row, layout } = one;
  const first = route[0], last = route[route.length - 1], down = row[first] <= row[last];
  const edge = (point, lower) => {
    const box = boxes[point];
    // From the border, unless the title is in the way.
    if (point === layout.in) return top + (one.root || mid[point] < one.title - 8 ? HEAD : 0);
    if (point === layout.out) return top + one.h;
    return top + box.y + (lower ? box.h : 0);
  };
  const at = (point, way) => left + mid[point] + (boxes[point] ? boxes[point][way] : 0);
  let px = at(first, down ? "outX" : "inX"), py = edge(first, down);
  let path = `M${near(px)} ${near(py)}`;
  const to = (nx, ny) => {
    const bend = (ny - py) / 2;
    path += Math.abs(nx - px) < 0.5 ? `V${near(ny)}` : `C${near(px)} ${near(py + bend)} ${near(nx)} ${near(ny - bend)} ${near(nx)} ${near(ny)}`;
    px = nx; py = ny;
  };
  // Straight through the rest of the own row: bends lie between rows, where nothing else is.
  const passed = (point, enter) => top + one.top[row[point]] + (enter === down ? 0 : one.high[row[point]]);
  if (boxes[first]) to(px, passed(first, false));
  for (const point of route.slice(1, -1)) { to(left + mid[point], passed(point, true)); to(left + mid[point], passed(point, false)); }
  const endX = at(last, down ? "inX" : "outX");
  if (boxes[last]) to(endX, passed(last, true));
  const end = edge(last, !down), goesOn = boxes[last] && boxes[last].boxes && boxes[last].layout.in >= 0;
  const tip = last === layout.out || goesOn ? 0 : down ? 6 : -6;
  to(endX, end - tip);
  const hot = data.ill[boxes[first] ? boxes[first].op : -1] && (!boxes[last] || data.ill[boxes[last].op]);
  const node = draw("path", { d: path, class: hot ? "wire hot" : "wire" }, sheet);
  if (tip) draw("path", { d: `M${near(endX)} ${near(end)}l-3 ${-tip}h6z`, class: hot ? "hottip" : "tip" }, sheet);
  const ends = [first, last].map((point) => (boxes[point] ? (boxes[point].boxes ? ~boxes[point].group : boxes[point].item) : null));
  node.setAttribute("data-ends", ends.join(" "));
}

// ── moving about ────────────────────────────────────────────────────────────────────────────

const move = () => sheet.setAttribute("transform", `translate(${near(view.x)} ${near(view.y)}) scale(${view.scale})`);
function zoom(by, x, y) {
  const scale = Math.min(4, Math.max(0.04, view.scale * by)), change = scale / view.scale;
  view.x = x - (x - view.x) * change;
  view.y = y - (y - view.y) * change;
  view.scale = scale;
  move();
}
const middle = () => { const r = svg.getBoundingClientRect(); return [r.width / 2, r.height / 2]; };
function fit() {
  const r = svg.getBoundingClientRect();
  view.scale = Math.min(1.2, (r.width - 20) / placed.w, (r.height - 20) / placed.h);
  if (view.scale < 0.45) view.scale = Math.min(1, Math.max(0.45, (r.width - 20) / placed.w));
  view.x = (r.width - placed.w * view.scale) / 2;
  view.y = Math.max(10, (r.height - placed.h * view.scale) / 2);
  move();
}
function reveal(item, centre) {
  const box = boxAt.get(item), r = svg.getBoundingClientRect();
  if (!box) return;
  const x = view.x + (box.x + box.w / 2) * view.scale, y = view.y + (box.y + box.h / 2) * view.scale;
  if (centre || x < 60 || y < 40 || x > r.width - 60 || y > r.height - 40) {
    view.x += r.width / 2 - x;
    view.y += r.height / 2 - y;
    move();
  }
}

let grip = null, dragged = false;
svg.addEventListener("pointerdown", (event) => { grip = [event.clientX, event.clientY, event.pointerId]; dragged = false; });
svg.addEventListener("pointermove", (event) => {
  if (!grip) return;
  const dx = event.clientX - grip[0], dy = event.clientY - grip[1];
  if (!dragged && Math.hypot(dx, dy) < 4) return;
  if (!dragged) svg.setPointerCapture(grip[2]); // only now: a captured pointer clicks on nothing
  dragged = true;
  view.x += dx; view.y += dy;
  grip[0] = event.clientX; grip[1] = event.clientY;
  move();
});
svg.addEventListener("pointerup", () => { grip = null; });
svg.addEventListener("pointercancel", () => { grip = null; });
svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  const r = svg.getBoundingClientRect();
  if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 300), event.clientX - r.left, event.clientY - r.top);
  else { view.x -= event.deltaX; view.y -= event.deltaY; move(); }
}, { passive: false });

// ── opening, closing, choosing ──────────────────────────────────────────────────────────────

const visible = (group) => groups[group].items.reduce(
  (sum, item) => sum + (item < 0 && state.open[state.section].has(~item) && !single(~item) ? visible(~item) : 1), 0);

/** Open or close a module; what was clicked stays where it is on the screen. */
function toggle(group) {
  const open = state.open[state.section], before = boxAt.get(~group);
  if (open.has(group)) open.delete(group);
  else if (visible(sections[state.section].root) + groups[group].items.length > MOST) return tell(`more than ${MOST} boxes: close something first`);
  else open.add(group);
  const corner = before && [view.x + before.x * view.scale, view.y + before.y * view.scale];
  render();
  const after = boxAt.get(~group);
  if (corner && after) {
    view.x = corner[0] - after.x * view.scale;
    view.y = corner[1] - after.y * view.scale;
    move();
  }
}
function act(item) {
  if (item < 0 && !single(~item)) { toggle(~item); choose(item); } else choose(item);
}
function tell(text) { said.textContent = text; }

/** Choose a box: the panel says what is known of it, and its lines are marked. */
function choose(item, focus = true) {
  state.chosen = item;
  for (const box of boxAt.values()) {
    box.node.classList.toggle("chosen", box.item === item);
    box.node.setAttribute("tabindex", box.item === item ? "0" : "-1");
  }
  for (const path of sheet.querySelectorAll("path[data-ends]")) {
    path.classList.toggle("lit", path.getAttribute("data-ends").split(" ").includes(String(item)));
  }
  const box = boxAt.get(item);
  if (box && focus) box.node.focus({ preventScroll: true });
  inspect(item < 0 && single(~item) ? groups[~item].items[0] : item);
}

/** Go to an operation wherever it is: its phase is shown, and what it is in is opened. */
function go(op) {
  const at = home[op];
  if (!at) { inspect(op); return; }
  if (state.section !== at[0]) turn(at[0], false);
  let box = at[2];
  for (let group = at[1]; groups[group].parent >= 0; group = groups[group].parent) {
    if (single(group)) box = ~group;
    else state.open[at[0]].add(group);
  }
  state.chosen = box;
  render();
  reveal(box, true);
  choose(box, false);
  if (op !== at[2]) inspect(op);
}
function goGroup(group) {
  const section = sections.findIndex((one) => { let g = group; while (groups[g].parent >= 0) g = groups[g].parent; return one.root === g; });
  if (state.section !== section) turn(section, false);
  for (let outer = groups[group].parent; outer >= 0; outer = groups[outer].parent) state.open[section].add(outer);
  render();
  reveal(~group, true);
  choose(~group, false);
}
function turn(section, fitting = true) {
  state.section = section;
  state.chosen = null;
  tabs.forEach((tab, at) => tab.setAttribute("aria-pressed", String(at === section)));
  render();
  if (!fitting) return;
  panel.textContent = "";
  fit();
}

// ── the panel ───────────────────────────────────────────────────────────────────────────────

function add(parent, kind, text, css) {
  const made = document.createElement(kind);
  if (text !== undefined) made.textContent = text;
  if (css) made.className = css;
  parent.appendChild(made);
  return made;
}
function link(parent, op, text) {
  const made = add(parent, "button", text, "link");
  made.addEventListener("click", () => go(op));
}
function fact(name, value) {
  if (value === "" || value === undefined) return null;
  add(panel, "dt", name);
  return add(panel, "dd", value);
}
const range = (output) => (output.length < 3 ? "not looked at" : output[1] === output[2] ? `${output[1]}` : `${output[1]} … ${output[2]}`);
function inspect(item) {
  panel.textContent = "";
  if (item < 0) {
    const group = groups[~item];
    add(panel, "h2", group.name);
    fact("module", group.kind);
    fact("operations", group.size.toLocaleString("en"));
    return;
  }
  const op = ops[item];
  add(panel, "h2", short(item));
  if (op[FORM] < 0) { fact("kind", word(op[PHASE])); if (op[OUTPUTS].length) fact("tensor", word(op[OUTPUTS][0][0])); }
  else {
    fact("op", word(op[OP]));
    fact("module", word(op[MODULE]));
    fact("phase", word(op[PHASE]));
    fact("number", op[SEQ] < 0 ? "did not run in the call that is shown" : String(op[SEQ]));
    fact("took", op[TOOK] < 0 ? "" : `${(op[TOOK] / 1000).toLocaleString("en")} µs`);
    if (op[FILE] >= 0) {
      const line = fact("line", `${word(op[FILE])}:${op[LINE]}`);
      const leads = data.links[`${op[FILE]}:${op[LINE]}`];
      if (leads) {
        const there = document.createElement("a");
        [there.href, there.textContent, there.target, there.rel] = [leads, line.textContent, "_blank", "noopener noreferrer"];
        line.replaceChildren(there);
      }
      const code = lines[`${op[FILE]}:${op[LINE]}`];
      if (code) add(line, "code", code);
    }
    if (item in data.enters) {
      add(panel, "dt", "enters");
      const dd = add(panel, "dd");
      for (const section of data.enters[item]) {
        add(dd, "button", sections[section].name, "link").addEventListener("click", () => turn(section));
      }
    }
    op[OUTPUTS].forEach((output, at) => {
      const dd = fact(op[OUTPUTS].length > 1 ? `output ${at}` : "output", word(output[0]));
      add(dd, "span", range(output), data.ill[item] && typeof output[1] === "string" ? "range bad" : "range");
    });
    op[INPUTS].forEach((input, at) => {
      if (input === null) return;
      add(panel, "dt", `input ${at}`);
      const place = add(panel, "dd");
      const [maker, slot] = makerOf(input);
      if (maker < 0) add(place, "span", `${word(leaves[~maker][0])} ${word(leaves[~maker][2])} (${word(leaves[~maker][1])})`);
      else link(place, maker, `${short(maker)} ${word((ops[maker][OUTPUTS][slot] || [-1])[0])}`);
    });
    fact("arguments", word(op[FORM]));
    if (op[TWIN] >= 0) {
      add(panel, "dt", "backward of");
      link(add(panel, "dd"), op[TWIN], short(op[TWIN]));
    }
    if (twins[item].length) {
      add(panel, "dt", "backward");
      const dd = add(panel, "dd");
      twins[item].slice(0, 12).forEach((one) => link(dd, one, short(one)));
    }
  }
  if (readers[item].length) {
    add(panel, "dt", "read by");
    const dd = add(panel, "dd");
    readers[item].slice(0, 24).forEach((one) => link(dd, one, short(one)));
  }
}

// ── search ──────────────────────────────────────────────────────────────────────────────────

const search = byId("search"), results = byId("results");
const haystack = ops.map((op) => [word(op[OP]), word(op[MODULE]), `${word(op[FILE])}:${op[LINE]}`, ...op[OUTPUTS].map((one) => word(one[0])), word(op[PHASE])].join(" ").toLowerCase());
const modules = groups.map((group) => `${group.name} ${group.kind}`.toLowerCase());
function find() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  results.textContent = "";
  results.hidden = !words.length;
  if (!words.length) return;
  const fits = (text) => words.every((one) => text.includes(one));
  let count = 0;
  const offer = (text, note, chosen) => {
    if (count++ >= 40) return;
    const made = add(results, "button", text, "result");
    add(made, "span", note);
    made.addEventListener("click", () => { chosen(); results.hidden = true; });
  };
  modules.forEach((text, at) => { if (groups[at].parent >= 0 && groups[at].items.length > 1 && fits(text)) offer(groups[at].name, groups[at].kind, () => goGroup(at)); });
  haystack.forEach((text, at) => { if (fits(text)) offer(short(at), `${word(ops[at][MODULE])} ${word(ops[at][PHASE])}`, () => go(at)); });
  if (!count) add(results, "p", "nothing of that name");
  if (count > 40) add(results, "p", `and ${count - 40} more`);
}
search.addEventListener("input", find);
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === "ArrowDown") {
    const first = results.querySelector("button");
    if (first) event.key === "Enter" ? first.click() : first.focus();
    event.preventDefault();
  }
});
results.addEventListener("keydown", (event) => {
  const by = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (!by) return;
  const other = document.activeElement[by];
  (other && other.matches("button") ? other : search).focus();
  event.preventDefault();
});

// ── keys and buttons ────────────────────────────────────────────────────────────────────────

/** The box that a line leads to, down or up; where several do, the first that is drawn. */
function along(item, down) {
  for (const path of sheet.querySelectorAll("path[data-ends]")) {
    const [from, to] = path.getAttribute("data-ends").split(" ");
    if (String(item) === (down ? from : to) && (down ? to : from) !== "") return Number(down ? to : from);
  }
  const order = [...boxAt.keys()], at = order.indexOf(item) + (down ? 1 : -1);
  return order[at];
}
const outer = (item) => { for (const [key, box] of boxAt) if (key < 0 && groups[~key].items.includes(item)) return key; return undefined; };
function step(item) { if (item !== undefined && boxAt.has(item)) { choose(item); reveal(item, false); } }
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { results.hidden = true; search.blur(); if (state.chosen !== null && boxAt.has(state.chosen)) boxAt.get(state.chosen).node.focus({ preventScroll: true }); return; }
  if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
  const item = state.chosen !== null && boxAt.has(state.chosen) ? state.chosen : boxAt.keys().next().value;
  const open = item < 0 && state.open[state.section].has(~item) && !single(~item);
  const keys = {
    "/": () => search.focus(),
    "+": () => zoom(1.25, ...middle()), "=": () => zoom(1.25, ...middle()), "-": () => zoom(0.8, ...middle()), "0": fit,
    t: theme,
  };
  const onBoxes = {
    ArrowDown: () => step(along(item, true)), ArrowUp: () => step(along(item, false)),
    ArrowRight: () => { if (item < 0 && !single(~item) && !open) { toggle(~item); choose(item); } else if (open) step(groups[~item].items[0]); },
    ArrowLeft: () => { if (open) { toggle(~item); choose(item); } else step(outer(item)); },
    Enter: () => { act(item); }, " ": () => { act(item); },
  };
  const free = !event.target.closest("button, input, #results");
  const does = keys[event.key] || (free && onBoxes[event.key]);
  if (does) { does(); event.preventDefault(); }
});
function theme() {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = root.dataset.theme || (dark ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
}
const tabs = sections.map((section, at) => {
  const tab = add(byId("phases"), "button", section.name);
  tab.addEventListener("click", () => turn(at));
  return tab;
});
byId("closer").addEventListener("click", () => zoom(1.25, ...middle()));
byId("further").addEventListener("click", () => zoom(0.8, ...middle()));
byId("whole").addEventListener("click", fit);
byId("theme").addEventListener("click", theme);
addEventListener("resize", move);

if (!sections.length) tell("this graph has no operation");
else {
  const start = data.born.length && home[data.born[0]] ? data.born[0] : -1;
  turn(data.start);
  if (start >= 0) go(start);
}
