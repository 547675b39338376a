// What every provider gave and cost over the life of the process

const REPORT_MS = 10000;

const short = number => number < 10000 ? String(number) : number < 1e6 ? `${(number / 1e3).toFixed(1)} k` : `${(number / 1e6).toFixed(1)} M`;
const dollars = usd => known(usd) ? `$${Number(usd.toPrecision(4))}` : "–";

function available(ratio) {  // never rounded to all
  if (!known(ratio)) return "–";
  return ratio > 0.9999 && ratio < 1 ? "> 99.99 %" : `${Number((ratio * 100).toFixed(2))} %`;
}

function extraSpend(cost) {
  const unpriced = cost.unpriced_tokens ? `; ${short(cost.unpriced_tokens)} tokens without a price` : "";
  if (!known(cost.extra_usd)) return unpriced ? `not known${unpriced}` : "none";
  return `${dollars(Math.abs(cost.extra_usd))} ${cost.extra_usd < 0 ? "less" : "more"} than the first provider would have${unpriced}`;
}

function wholeLife({uptime_s: up, requests: served, failover: cost}) {
  const ratio = known(served.served_ratio) ? ` (${available(served.served_ratio)} of those that could be)` : "";
  const lost = known(cost.lost_p50_s) ? ` (p50 ${took(cost.lost_p50_s)}, p95 ${took(cost.lost_p95_s)})` : "";
  return facts([
    ["up", span(up)], ["requests served", `${short(served.served)} of ${short(served.total)}${ratio}`], ["saved by failover", short(served.saved)],
    ["nobody answered", short(served.exhausted)], ["broke off", short(served.interrupted)],
    ["time lost on failed tries", `${took(cost.lost_s)}${lost}`], ["extra spend", extraSpend(cost)],
  ]);
}

function lifeRow(life) {
  const figure = text => [text, "number"];
  return cells([life.name], figure(short(life.attempts)), figure(available(life.availability)), figure(took(life.ttft_p50_s)), figure(took(life.ttft_p95_s)),
    figure(took(life.ttft_p99_s)), figure(short(life.tokens.input)), figure(short(life.tokens.output)), figure(dollars(life.usd_per_1000)));
}

function drawAdvice({suggestions, unsaid}) {
  const advised = suggestions.map(advice => element("li", {}, advice.reason, element("code", {}, advice.yaml)));
  const others = advised.length || unsaid.length ? unsaid : ["None."];
  return [...advised, ...others.map(text => element("li", {class: "quiet"}, text))];
}

async function askReport() {
  if (document.hidden) return;
  const [report] = await ask("report.json");
  if (!report) return;
  draw(byId("life"), report, told => [wholeLife(told)]);
  draw(byId("lives"), report.providers, all => all.map(lifeRow));
  draw(byId("advice"), {suggestions: report.suggestions, unsaid: report.unsaid}, drawAdvice);
}
