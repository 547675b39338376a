// Asking and telling the sidecar

let token = "", rights = {may_change: false, reason: "", token: false}, answeredAt = null, latest = null;

const headers = () => token ? {Authorization: `Bearer ${token}`} : {};

async function ask(path, options = {}) {  // what it answers, or why it does not
  try {
    const answer = await fetch(path, {cache: "no-store", headers: headers(), signal: AbortSignal.timeout(PATIENCE_MS), ...options});
    const told = await answer.json();
    return answer.ok ? [told, ""] : [null, told.error.message];
  } catch {
    return [null, ""];
  }
}

async function learnRights() {
  const [told] = await ask("status/rights");
  if (told) rights = told;
  byId("token-button").hidden = rights.may_change || !rights.token;
  show(byId("rights"), rights.may_change ? "" : `Only to look at from here. ${rights.reason || ""}`);
  if (latest) drawProviders(latest);
  return rights.may_change;
}

function take(status, how) {
  latest = status;
  answeredAt = new Date();
  byId("live").className = "good";
  draw(byId("live"), how, text => [text]);
  show(byId("lost"), "");
  drawStatus(status);
}

function lose() {
  byId("live").className = "bad";
  draw(byId("live"), "no answer", text => [text]);
  show(byId("lost"), `No answer from the sidecar${answeredAt ? ` since ${answeredAt.toLocaleTimeString([], {hourCycle: "h23"})}: what follows is old` : ""}.`);
}

let stop = () => {};  // whatever is under way

function listen() {
  const stream = new EventSource("status/events");
  let silence = 0;
  const giveUp = () => { stop(); poll(Date.now() + STREAM_AGAIN_MS); };
  const wait = () => { clearTimeout(silence); silence = setTimeout(giveUp, SILENCE_MS); };
  stop = () => { clearTimeout(silence); stream.close(); };
  stream.onmessage = event => { wait(); take(JSON.parse(event.data), "live"); };
  stream.onerror = giveUp;
  wait();
}

async function poll(untilMs) {  // where events do not come through, or too many listen
  let timer = 0, stopped = false;
  stop = () => { clearTimeout(timer); stopped = true; };
  const [status] = await ask("status.json");
  if (stopped) return;
  if (status) take(status, "live, every 2 s"); else lose();
  timer = Date.now() > untilMs ? setTimeout(listen) : setTimeout(poll, POLL_MS, untilMs);
}

function watch() {  // nobody looks at a hidden page, and listeners are few
  stop();
  if (!document.hidden) listen();
}

// Changes

const CHANGES = {
  hold: name => [`Hold ${name}`, "Its breaker stays as you say, in the whole fleet, whatever the provider does.", "Hold"],
  release: name => [`Release ${name}`, "Its breaker decides for itself again.", "Release"],
  reset: name => [`Reset ${name}`, "Its breaker closes and forgets the failures, in the whole fleet. Calls go to it at once.", "Reset"],
};
let asked = null;

function askChange(name, word) {
  asked = {name, word};
  const [title, text, label] = CHANGES[word](name);
  for (const [id, words] of [["change-title", title], ["change-text", text], ["change-do", label]]) draw(byId(id), words, told => [told]);
  byId("hold-fields").hidden = word !== "hold";
  byId("hold-reason").disabled = word !== "hold";
  show(byId("change-error"), "");
  byId("change").showModal();
}

async function change(event) {
  event.preventDefault();
  const {name, word} = asked, form = new FormData(event.target);
  const body = word === "hold" ? JSON.stringify(Object.fromEntries(form)) : "{}";
  const [done, message] = await ask(`-/breakers/${encodeURIComponent(name)}/${word}`, {method: "POST", body});
  if (!done) return show(byId("change-error"), message || "The sidecar does not answer.");
  byId("change").close();
  const [status] = await ask("status.json");
  if (status) take(status, byId("live").textContent);
}

async function useToken(event) {
  event.preventDefault();
  token = byId("token-value").value;
  if (!await learnRights()) return show(byId("token-error"), rights.reason);
  byId("token-value").value = "";
  byId("token").close();
}

byId("change").firstElementChild.addEventListener("submit", change);
byId("token").firstElementChild.addEventListener("submit", useToken);
byId("token-button").addEventListener("click", () => byId("token").showModal());
for (const id of ["change", "token"]) byId(`${id}-cancel`).addEventListener("click", () => byId(id).close());
byId("find").addEventListener("submit", event => { event.preventDefault(); look(byId("find-id").value.trim()); });
document.addEventListener("visibilitychange", watch);
document.addEventListener("visibilitychange", askReport);
setInterval(askReport, REPORT_MS);
askReport();
learnRights();
watch();
if (location.hash.startsWith("#request=")) look(decodeURIComponent(location.hash.slice(9)));
