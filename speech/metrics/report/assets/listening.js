"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const { systems, texts, trials } = data;
const STORED = `speech.listening.${data.key}`;
const Z = 1.959964; // of a normal distribution, 95 % lie within so many deviations
const $ = (id) => document.getElementById(id);

/** Votes by the number of their trial: the place of the better one, 0 or 1, or "none". */
let votes = remembered();
let place = Math.max(trials.findIndex((_, number) => !(number in votes)), 0);
let players = [];
let heard = [false, false];

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? "{}");
  } catch {
    return {};
  }
}

function remember() {
  try {
    localStorage.setItem(STORED, JSON.stringify(votes));
  } catch {
    $("stored").textContent = "This browser keeps no votes: export them before the page is closed.";
  }
}

/** Names of a trial's systems, in the order in which they are played. */
function names(number) {
  return trials[number].slice(1).map((system) => systems[system]);
}

function show(number) {
  for (const player of players) player.pause();
  place = number;
  const [text, ...order] = trials[place];
  heard = [false, false];
  players = order.map((system, side) => {
    const player = new Audio(texts[text].audio[system]);
    player.preload = "auto";
    player.addEventListener("timeupdate", () => { $(`time-${side}`).value = player.currentTime / player.duration || 0; });
    player.addEventListener("playing", () => { heard[side] = true; draw(); });
    for (const event of ["pause", "ended"]) player.addEventListener(event, draw);
    player.addEventListener("error", () => { $("hint").textContent = `${"AB"[side]} cannot be played.`; });
    $(`time-${side}`).value = 0;
    return player;
  });
  $("trial-title").textContent = `${place + 1} of ${trials.length}: ${texts[text].id}`;
  $("text").textContent = texts[text].text;
  draw();
}

/** Everything that a vote or a player changes. */
function draw() {
  const vote = votes[place];
  const known = vote !== undefined || $("named").checked;
  players.forEach((player, side) => {
    const playing = !player.paused && !player.ended;
    $(`play-${side}`).textContent = `${playing ? "Stop" : "Play"} ${"AB"[side]}`;
    $(`play-${side}`).classList.toggle("playing", playing);
    $(`who-${side}`).textContent = known ? names(place)[side] : "";
  });
  for (const button of $("votes").children) {
    button.disabled = vote === undefined && !heard.every(Boolean);
    button.setAttribute("aria-pressed", String(String(vote) === button.dataset.vote));
  }
  $("hint").textContent = vote === undefined && !heard.every(Boolean) ? "Play both, then vote." : "";
  $("before").disabled = place === 0;
  $("after").disabled = place === trials.length - 1;
  $("counted").textContent = `${Object.keys(votes).length} of ${trials.length} voted`;
  results();
}

function play(side) {
  const [own, other] = [players[side], players[1 - side]];
  other.pause();
  if (!own.paused && !own.ended) {
    own.pause();
    return;
  }
  own.currentTime = 0;
  own.play().catch(() => {}); // the event `error` tells
}

function cast(vote) {
  if (votes[place] === undefined && !heard.every(Boolean)) return;
  votes[place] = vote;
  remember();
  draw();
}

function step(by) {
  const next = place + by;
  if (next >= 0 && next < trials.length) show(next);
}

/** Of each two systems: votes for the one, for the other, for neither. */
function counted() {
  const found = [];
  for (let one = 0; one < systems.length; one += 1) {
    for (let other = one + 1; other < systems.length; other += 1) found.push({ one, other, first: 0, second: 0, none: 0, votes: 0 });
  }
  for (const [number, vote] of Object.entries(votes)) {
    const [, ...order] = trials[number];
    const row = found.find(({ one, other }) => order.includes(one) && order.includes(other));
    row.votes += 1;
    if (vote === "none") row.none += 1;
    else if (order[vote] === row.one) row.first += 1;
    else row.second += 1;
  }
  return found;
}

/** Share of `count` in `all`, and Wilson's interval of 95 % (1927). */
function share(count, all) {
  if (!all) return null;
  const p = count / all;
  const middle = (p + Z ** 2 / (2 * all)) / (1 + Z ** 2 / all);
  const half = (Z / (1 + Z ** 2 / all)) * Math.sqrt((p * (1 - p)) / all + Z ** 2 / (4 * all ** 2));
  return [p, Math.max(middle - half, 0), Math.min(middle + half, 1)];
}

function results() {
  const rows = [["", "votes", "better", "no difference", "better"]];
  for (const { one, other, first, second, none, votes: all } of counted()) {
    const cell = (name, count) => {
      const found = share(count, all);
      return `${name}${count}${found ? ` (${found[0].toFixed(2)} [${found[1].toFixed(2)}, ${found[2].toFixed(2)}])` : ""}`;
    };
    rows.push([`${systems[one]} and ${systems[other]}`, String(all), cell(`${systems[one]}: `, first), cell("", none), cell(`${systems[other]}: `, second)]);
  }
  $("counts").replaceChildren(...rows.map((cells, number) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text, column) => {
      const cell = document.createElement(number === 0 || column === 0 ? "th" : "td");
      cell.textContent = text;
      return cell;
    }));
    return row;
  }));
}

/** All that is known of the votes, without the recordings. */
function exported() {
  const pairs = counted().map(({ one, other, first, second, none, votes: all }) => ({
    systems: [systems[one], systems[other]],
    votes: all,
    better: [first, second],
    no_difference: none,
    shares: [first, second].map((count) => share(count, all)),
  }));
  const each = Object.entries(votes).map(([number, vote]) => ({
    trial: Number(number),
    id: texts[trials[number][0]].id,
    language: texts[trials[number][0]].language,
    played: names(number),
    better: vote === "none" ? null : names(number)[vote],
  }));
  return { name: data.name, key: data.key, seed: data.seed, systems, trials: trials.length, pairs, votes: each };
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify(exported(), null, 1)}\n`], { type: "application/json" }));
  link.download = "votes.json";
  link.click();
  URL.revokeObjectURL(link.href);
}

const KEYS = {
  1: () => play(0),
  2: () => play(1),
  a: () => cast(0),
  b: () => cast(1),
  e: () => cast("none"),
  n: () => step(1),
  p: () => step(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  KEYS[event.key.toLowerCase()]?.();
});
for (const side of [0, 1]) $(`play-${side}`).addEventListener("click", () => play(side));
for (const button of $("votes").children) {
  button.addEventListener("click", () => cast(button.dataset.vote === "none" ? "none" : Number(button.dataset.vote)));
}
$("before").addEventListener("click", () => step(-1));
$("after").addEventListener("click", () => step(1));
$("named").addEventListener("change", draw);
$("export").addEventListener("click", save);
$("forget").addEventListener("click", () => {
  if (!confirm("Delete all votes of this page?")) return;
  votes = {};
  remember();
  show(0);
});
if (trials.length) show(place);
