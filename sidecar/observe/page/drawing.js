"use strict";
const SILENCE_MS = 5000, POLL_MS = 2000, STREAM_AGAIN_MS = 30000, PATIENCE_MS = 3000;
const SLICE_S = 10, WINDOWS_S = [120, 300, 900], PLOT = {width: 360, height: 48};
const drawn = new WeakMap();

// Small words

const byId = id => document.getElementById(id);
const clock = (unix, form) => new Date(unix * 1000).toLocaleTimeString([], {hourCycle: "h23", ...form});
const time = unix => clock(unix);
const plain = word => (word || "").replaceAll("_", " ");  // of the closed vocabularies only
const known = value => value !== null && value !== undefined;
const percent = ratio => ratio > 0 && ratio < 0.01 ? "< 1 %" : `${Math.round(ratio * 100)} %`;
const took = s => !known(s) ? "–" : s === 0 ? "0 ms" : s < 0.01 ? `${(s * 1000).toFixed(1)} ms` : s < 1 ? `${Math.round(s * 1000)} ms` : `${s.toFixed(1)} s`;
const rate = perS => perS >= 1 ? `${perS.toFixed(1)} / s` : `${Math.round(perS * 60)} / min`;

function span(s) {
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([size]) => s >= 2 * size) || [1, "s"];
  return `${Math.ceil(s / size)}\u00a0${unit}`;  // never cut in two
}

// The sentence tells moments in UTC; here they are told by the reader's clock.
function local(sentence, now) {
  return sentence.replace(/\b(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d) UTC/g, (_, date, hour) => {
    const today = new Date(now * 1000).toISOString().slice(0, 10);
    let moment = Date.parse(`${date || today}T${hour}Z`) / 1000;
    if (!date && moment > now) moment -= 86400;
    const day = date ? `${new Date(moment * 1000).toLocaleDateString()} ` : "";
    return day + clock(moment, {hour: "2-digit", minute: "2-digit"});
  });
}

// Everything goes into the page as text, never as markup.
function put(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) if (known(value) && value !== "") made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const element = (name, attributes, ...children) => put(document.createElement(name), attributes, children);
const SVG = byId("shapes").namespaceURI;
const svg = (name, attributes, ...children) => put(document.createElementNS(SVG, name), attributes, children);
const shape = kind => svg("svg", {class: "shape", "aria-hidden": "true"}, svg("use", {href: `#shape-${kind}`}));

function draw(node, data, make) {  // only what changed, so that a selection survives
  const key = JSON.stringify(data);
  if (drawn.get(node) === key) return;
  drawn.set(node, key);
  node.replaceChildren(...make(data));
}

function show(node, text) {
  node.hidden = !text;
  draw(node, text, words => [words]);
}

// Where a provider stands

const STANDINGS = {
  closed: {word: "closed", shade: "good"}, half_open: {word: "half open, being probed", shade: "trying"},
  open: {word: "open", shade: "bad"}, held_open: {word: "held open", shade: "odd"}, held_closed: {word: "held closed", shade: "odd"},
  parked: {word: "set aside", shade: "odd"}, cooldown: {word: "cooling down", shade: "trying"}, unknown: {word: "not known yet", shade: "odd"},
};

function next(seat) {
  if (!known(seat.wait_s)) return seat.standing === "held_open" || seat.standing === "held_closed" ? "until released" : "";
  if (seat.standing !== "open") return `for ${span(seat.wait_s)}`;
  return seat.wait_s > 0 ? `next probe in ${span(seat.wait_s)}` : "the next call probes";
}

function hurt(routes) {
  if (routes.some(route => !route.seats.some(seat => seat.serving))) return "bad";
  return routes.every(route => route.seats[0].serving) ? "good" : "trying";
}

function arrow() {
  const [line, head] = ["M0 8h44", "M39 3l6 5-6 5"].map(d => svg("path", {d}));
  head.setAttribute("class", "head");
  return svg("svg", {class: "arrow", viewBox: "0 0 46 16", "aria-hidden": "true"}, line, head);
}

function drawRoute(route) {
  const serving = route.seats.findIndex(seat => seat.serving);
  const places = route.seats.map((seat, place) => {
    const {word, shade} = STANDINGS[seat.standing], serves = place === serving;
    const role = serves ? "served" : serving < 0 || place < serving ? "passed" : "spare";
    const told = serves ? (seat.standing === "closed" ? "serving" : `serving, ${word}`) : role === "spare" && seat.standing === "closed" ? "ready" : word;
    const more = [seat.why, next(seat)].filter(Boolean).join(", ");
    return element("li", {class: role}, arrow(), element("div", {class: `seat ${shade}`},
      element("b", {}, seat.entry), element("span", {class: "word"}, shape(shade), told), element("small", {}, more)));
  });
  return element("div", {class: "route"}, element("h3", {}, `for ${route.models.map(model => model === "*" ? "any model (*)" : model).join(", ")}`),
    element("ol", {class: "chain"}, element("li", {}, element("span", {class: "caller"}, "application")), ...places));
}

// Providers

function figures(provider) {
  const attempts = provider.history.reduce((sum, [, count]) => sum + count, 0);
  const errors = provider.history.reduce((sum, [, , count]) => sum + count, 0);
  const pairs = [
    ["attempts", rate(provider.attempts_per_s)], ["errors", attempts ? percent(errors / attempts) : "–"],
    ["in flight", String(provider.in_flight)], ["first token p50", took(provider.ttft_p50_s)],
    ["first token p95", took(provider.ttft_p95_s)], ["answer p95", took(provider.p95_s)],
  ];
  if (provider.keys) pairs.push(["keys in use", `${provider.keys.total - provider.keys.parked} of ${provider.keys.total}`]);
  return [element("dl", {}, ...pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))))];
}

function standingOf(provider) {
  const {held, parked, cooldown_s: cooling} = provider;
  if (held) return held.mode === "open" ? "held_open" : "held_closed";
  if (provider.state === "open" && provider.retry_in_s !== 0) return "open";
  return parked.length ? "parked" : cooling.length ? "cooldown" : provider.state;
}

function story(provider, now) {
  const {held} = provider, told = [];
  if (held) told.push(`by ${held.by}${held.reason ? `: ${held.reason}` : ""}, ${known(held.until) ? `for ${span(Math.max(0, held.until - now))}` : "until released"}`);
  if (known(provider.away_since)) told.push(`since ${time(provider.away_since)}`);
  if (provider.failing.length) told.push(provider.failing.map(one => `${plain(one.what)} ×${one.count}`).join(", "));
  else if (provider.cause && provider.state !== "closed" && !held) told.push(plain(provider.cause));
  if (!held && provider.state === "open" && provider.retry_in_s > 0) told.push(`next probe in ${span(provider.retry_in_s)}`);
  for (const one of [...provider.parked, ...provider.cooldown_s]) told.push(`${one.model || "all models"} for ${span(one.retry_in_s)}${one.reason ? ` (${plain(one.reason)})` : ""}`);
  return told.join(" · ");
}

function heading(provider, now) {
  const {word, shade} = STANDINGS[standingOf(provider)];
  const kind = provider.kind && provider.kind !== provider.name ? [element("small", {class: "quiet"}, provider.kind)] : [];
  return [element("h3", {}, provider.name), ...kind, element("span", {class: "word"}, shape(shade), word), element("p", {class: "quiet"}, story(provider, now))];
}

function plot(label, caption, bars) {
  const picture = svg("svg", {class: "plot", viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, preserveAspectRatio: "none", role: "img", "aria-label": label}, ...bars);
  return element("figure", {}, picture, element("figcaption", {}, ...caption.map(text => element("span", {}, text))));
}

// A column for each slice in which something went on; `upTo` is the value that fills the height.
function columns(slices, {until, spanS, upTo}, parts) {
  const width = PLOT.width * SLICE_S / spanS, scale = (PLOT.height - 4) / upTo;
  return slices.flatMap(slice => parts(slice).map(([kind, from, to]) => svg("rect", {
    class: kind, x: ((slice[0] + spanS - until) / SLICE_S * width).toFixed(1), width: (width * 0.8).toFixed(1),
    y: (PLOT.height - to * scale).toFixed(1), height: Math.max(1.5, (to - from) * scale).toFixed(1),
  })));
}

function plots({history, until, spanS}) {
  const slices = history.filter(([began]) => began >= until - spanS), told = span(spanS);
  const most = Math.max(0, ...slices.map(([, attempts]) => attempts));
  const slowest = Math.max(0, ...slices.map(([, , , , p95]) => p95 || 0));
  const [all, failed] = [1, 2].map(place => slices.reduce((sum, slice) => sum + slice[place], 0));
  const calls = columns(slices, {until, spanS, upTo: most || 1}, ([, attempts, errors]) => errors ? [["calls", errors, attempts], ["errors", 0, errors]] : [["calls", 0, attempts]]);
  const tokens = columns(slices.filter(slice => known(slice[3])), {until, spanS, upTo: slowest || 1}, ([, , , p50, p95]) => [["range", p50, p95], ["middle", p50, p50]]);
  const seen = most ? `most ${most} in ${SLICE_S} s` : "none", slow = slowest ? `slowest ${took(slowest)}` : "none measured";
  return [
    plot(`Attempts in the last ${told}: ${all}, of them errors: ${failed}`, ["attempts, errors in red", `${told}, ${seen}`], calls),
    plot(`First token, median to 95th percentile, in the last ${told}: ${slow}`, ["first token, p50 to p95", `${told}, ${slow}`], tokens),
  ];
}

function actions({name, held, may}) {
  const button = (word, text) => {
    const made = element("button", {type: "button", "aria-label": `${text} ${name}`}, text);
    made.addEventListener("click", () => askChange(name, word));
    return made;
  };
  if (!may) return [];
  return [element("p", {class: "buttons"}, held ? button("release", "Release") : button("hold", "Hold"), button("reset", "Reset"))];
}

const cards = new Map();

function drawProviders({providers, time: now, uptime_s: up}) {
  const until = (Math.floor(now / SLICE_S) + 1) * SLICE_S, spanS = WINDOWS_S.find(size => size > up) || WINDOWS_S.at(-1);
  const names = providers.map(provider => provider.name);
  draw(byId("providers"), names, () => names.map(name => {
    const parts = ["top", "figures", "plots", "actions"].map(kind => element("div", {class: kind}));
    const card = element("article", {}, ...parts);
    cards.set(name, {card, parts});
    return card;
  }));
  for (const provider of providers) {
    const {card, parts: [head, numbers, pictures, buttons]} = cards.get(provider.name);
    card.className = STANDINGS[standingOf(provider)].shade;
    draw(head, [provider.name, standingOf(provider), story(provider, now), provider.kind], () => heading(provider, now));
    draw(numbers, [provider.attempts_per_s, provider.in_flight, provider.history, provider.ttft_p50_s, provider.ttft_p95_s, provider.p95_s, provider.keys], () => figures(provider));
    draw(pictures, {history: provider.history, until, spanS}, plots);
    draw(buttons, {name: provider.name, held: Boolean(provider.held), may: rights.may_change}, actions);
  }
}

// Requests

function cells(...contents) {
  return element("tr", {}, ...contents.map(([content, kind]) => element("td", {class: kind}, content)));
}

function link(id) {
  const made = element("button", {type: "button", class: "link", title: id}, id);
  made.addEventListener("click", () => look(id));
  return made;
}

const requestRow = request => cells([time(request.time)], [link(request.id)], [request.route], [`${plain(request.outcome)} (${request.code})`], [request.provider || "–"],
  [String(request.tries), "number"], [took(request.ttft_s), "number"], [took(request.duration_s), "number"]);
const failoverRow = failover => cells([time(failover.time)], [link(failover.request_id)], [failover.route], [failover.from], [failover.to], [plain(failover.reason)]);

function drawRows(name, newestFirst, make) {  // row by row, so that the focus stays where it is
  const node = byId(name), body = node.tBodies[0], rows = drawn.get(node) || new Map(), keys = newestFirst.map(one => JSON.stringify(one));
  drawn.set(node, rows);
  node.hidden = !keys.length;
  byId(`no-${name}`).hidden = Boolean(keys.length);
  for (const [key, row] of rows) if (!keys.includes(key)) { row.remove(); rows.delete(key); }
  for (let place = keys.length - 1; place >= 0; place--) {
    if (rows.has(keys[place])) continue;
    rows.set(keys[place], make(newestFirst[place]));
    body.prepend(rows.get(keys[place]));
  }
}

function bar(kind, start, length, token, whole) {
  const scale = 1000 / Math.max(whole, 0.001), from = Math.min(start * scale, 995);
  const marks = [svg("rect", {class: "track", width: 1000, height: 10, y: 5}),
    svg("rect", {class: kind, x: from.toFixed(1), width: Math.max(5, Math.min(length * scale, 1000 - from)).toFixed(1), height: 14, y: 3})];
  if (known(token)) marks.push(svg("rect", {class: "token", x: Math.min(from + token * scale, 996).toFixed(1), width: 4, height: 20}));
  return svg("svg", {class: "bar", viewBox: "0 0 1000 20", preserveAspectRatio: "none", "aria-hidden": "true"}, ...marks);
}

const COLORS = {ok: "good", cancelled: "whole", hedge_lost: "whole"};

function waterfall(request) {
  const whole = request.duration_s;
  const line = (who, what, start, length, token, kind) => element("tr", {}, element("th", {scope: "row"}, who), element("td", {}, what),
    element("td", {class: "number"}, took(start)), element("td", {class: "number"}, took(length)), element("td", {class: "number"}, took(token)),
    element("td", {class: "wide"}, bar(kind, start, length, token, whole)));
  const tries = request.tries.map(attempt => attempt.outcome === "skipped"
    ? line(attempt.provider, `skipped (${plain(attempt.reason)})`, attempt.start_s, 0, null, "skip")
    : line(attempt.provider, `${plain(attempt.outcome)}${attempt.status ? ` (${attempt.status})` : ""}`, attempt.start_s, attempt.duration_s, attempt.ttft_s, COLORS[attempt.outcome] || "failed"));
  const heads = ["", "outcome", "after", "took", "first token", "timeline, first token marked"];
  const facts = [`${time(request.time)}`, `route ${request.route}`, `${request.endpoint}${request.stream ? ", streamed" : ""}`, ...(request.lost_s ? [`lost on tries before ${took(request.lost_s)}`] : []), `overhead ${took(request.overhead_s)}`];
  if (request.trace_id) facts.push(`trace ${request.trace_id}`);
  return [element("h3", {}, `${request.id}: ${plain(request.outcome)} (${request.code})${request.provider ? ` by ${request.provider}` : ""}, ${took(whole)}`),
    element("p", {class: "quiet"}, facts.join(" · ")),
    element("table", {}, element("thead", {}, element("tr", {}, ...heads.map((text, place) => text ? element("th", {scope: "col", class: place > 1 && place < 5 ? "number" : ""}, text) : element("td", {})))),
      element("tbody", {}, line("request", plain(request.outcome), 0, whole, request.ttft_s, "whole"), ...tries))];
}

async function look(id) {
  const [request, message] = await ask(`status/request?id=${encodeURIComponent(id)}`);
  const place = byId("request");
  place.hidden = false;
  draw(place, [id, request, message], () => request ? waterfall(request) : [message || "The sidecar does not answer."]);
  place.focus();
  history.replaceState(null, "", `#request=${encodeURIComponent(id)}`);
}

// The rest

const facts = pairs => element("dl", {class: "facts"}, ...pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
const list = items => element("ul", {}, ...items.map(text => element("li", {}, text)));

function drawStore(store) {
  if (store.kind === "memory") return [facts([["kind", "memory: this pod keeps its breakers to itself"]])];
  const synced = known(store.last_sync_s) ? `${span(store.last_sync_s)} ago` : "never";
  const pods = store.pods.map(one => `${one.pod}, seen ${span(one.last_seen_s)} ago`);
  return [facts([["kind", store.kind], ["reachable", store.up ? "yes" : "no"], ["last read", synced], ["pods", String(pods.length)]]), list(pods)];
}

function drawConfig(config) {
  const pairs = [["in force since", new Date(config.loaded * 1000).toLocaleString([], {hourCycle: "h23"})], ...(config.sha256 ? [["hash", element("code", {}, config.sha256.slice(0, 12))]] : []),
    ["values", element("a", {href: "config"}, "all of them, without secrets")]];
  return [facts(pairs), ...(config.warnings.length ? [list(config.warnings)] : [])];
}

function drawStatus(status) {
  const {store, config} = status, sentence = local(status.sentence, status.time), shade = hurt(status.routes);
  byId("headline").className = shade;
  draw(byId("headline"), [sentence, shade], () => [shape(shade), sentence]);
  draw(byId("spoken"), sentence.replace(/,? (next probe in|for another) \d+ (s|min|h|d)\b/g, ""), text => [text]);  // no countdown read aloud
  document.title = `${{good: "●", trying: "▲", bad: "✖"}[shade]} ${sentence.split(". ")[0]} – LLM failover sidecar`;
  draw(byId("process"), `${status.pod} · ${status.version} · up ${span(status.uptime_s)}`, text => [text]);
  show(byId("alone"), store.degraded ? "This pod is deciding alone: the store is out of reach. Other pods may see other states." : "");
  byId("refused").hidden = !config.problems.length;
  draw(byId("refused"), config.problems, all => ["The newest configuration was refused; the one before is in force.", list(all)]);
  draw(byId("routes"), status.routes, all => all.map(drawRoute));
  drawProviders(status);
  drawRows("failovers", [...status.failovers].reverse(), failoverRow);
  drawRows("requests", status.requests, requestRow);
  draw(byId("store"), store, one => drawStore(one));
  draw(byId("config"), config, one => drawConfig(one));
}
