// The page: its controls, one session at a time, and the messages of the server.

import { Live } from "./live.js";
import { Messages, inWords } from "./messages.js";
import { Picker } from "./picker.js";
import { ScoreView, sentences } from "./score_view.js";
import { Speaking } from "./speaking.js";
import { Talk } from "./talk.js";
import { TalkView } from "./talk_view.js";
import { toSrt, toText, toVtt } from "./subtitles.js";
import { Transcript, clock } from "./transcript.js";
import { Translated } from "./translated.js";
import { TranscriptView } from "./view.js";

const UPDATE_MS = 400; // several changes in a row make one update
const QUIETEST_DB = -60;
const STATES = {
  idle: "not connected",
  asking: "waiting for the microphone",
  reading: "reading the file",
  connecting: "connecting",
  open: "connected",
  paused: "the server asks to wait",
  reconnecting: "connection lost, trying again",
  finishing: "finishing",
};

const $ = (id) => document.getElementById(id);
const MICROPHONE = "microphone";
const known = new Map(); // code -> {code, tag, name, native, spaces}
const language = (code) => known.get(code) ?? { code, tag: code, name: code, native: code, spaces: true };

const messages = new Messages($("messages"));
const transcript = new Transcript(language);
const view = new TranscriptView(
  { list: $("segments"), legend: $("legend"), tip: $("tip"), announce: $("announce") },
  language,
);
const scores = new ScoreView({
  section: $("scores"), list: $("sentences"), figures: $("rates"), chart: $("course"), note: $("score-note"),
});
const speaking = new Speaking(
  { section: $("speak"), choice: $("voices"), text: $("spoken-text"), voice: $("voice"), button: $("say"), said: $("said") },
  new URL("v1/speak", document.baseURI.replace(/^http/, "ws")),
  (text) => messages.show("error", { text }),
);
const talk = new Talk(
  new TalkView({ list: $("turns"), legend: $("stages"), you: $("who-you"), speech: $("who-speech") }, language),
  (text, exact) => messages.show("error", { text, exact }),
);
const translated = new Translated(
  { choice: $("aloud"), box: $("say-translation"), said: $("heard") },
  (text, exact) => messages.show("error", { text, exact }),
);
const languages = new Picker($("languages"), "automatic", chosen);
const drafts = new Set(); // targets that are written while the speaker goes on
const targets = new Picker($("targets"), "none", chosen);
let voiceRate = 0; // Hz
let live = null;
let source = ""; // name of the transcript's source; `next`: that of the session that starts
let next = "";
let updating = 0;
let attempts = 0;
let finishing = false;
let referred = ""; // reference text that this session has been sent

// Sessions

/** Start a session with a file or the microphone. */
async function begin(file = null) {
  messages.clear();
  clearTimeout(updating);
  next = file ? file.name.replace(/\.[^.]*$/, "") : MICROPHONE;
  const options = { key: $("key").value.trim(), ...choice() };
  const talking = document.body.dataset.mode === "talk" && !file;
  if (talking) {
    options.dialogue = speaking.choice;
    speaking.stop();
  }
  live = new Live(new URL("v1/stream", document.baseURI.replace(/^http/, "ws")), options, { onEvent, onLevel });
  finishing = false;
  referred = "";
  scores.clear();
  refer();
  setState(file ? "reading" : "asking");
  try {
    await (talking ? talk : translated).begin(voiceRate);
    await (file ? live.file(file, () => $("pace").checked) : live.microphone());
  } catch (error) {
    messages.show("error", inWords(error));
    if (error.code === "unauthorized") $("access").open = true;
  } finally {
    live = null;
    talk.end();
    translated.end();
    setState("idle");
    onLevel({ peak: 0, rms: 0 });
    document.body.classList.remove("speaking");
    changed();
  }
}

/** Options for the server. */
function choice() {
  const phrases = $("phrases").value.split("\n").map((line) => line.trim()).filter(Boolean);
  const policy = targets.codes.some((code) => drafts.has(code)) ? "align_att" : "complete";
  const into = document.body.dataset.mode === "talk" ? [] : targets.codes;
  const said = translated.options(into);
  const translation = said.interpret && policy !== "complete" ? { policy, append: true } : { policy };
  return { languages: languages.codes, targets: into, translation, phrases, ...said };
}

/** Handle a change of languages, targets or phrases. */
function chosen() {
  view.expect(targets.codes);
  translated.offer(targets.codes);
  clearTimeout(updating);
  updating = setTimeout(() => live?.update(choice()), UPDATE_MS);
}

/** Send the part of the reference that the server does not have yet. */
function refer() {
  const text = $("reference").value.trim();
  if (!live || finishing || text === referred) return;
  if (!text.startsWith(referred)) {
    messages.show("note", { text: "What was told of the reference holds for this session; only add to it." });
    return;
  }
  const fresh = sentences(text.slice(referred.length));
  referred = text;
  live.refer(fresh);
  scores.expect(fresh);
}

// Messages of the server

const HEARD = {
  state: ({ state, attempt = 0 }) => {
    attempts = attempt;
    finishing ||= state === "finishing";
    if (state !== "closed") setState(finishing && state === "open" ? "finishing" : state);
  },
  started: ({ model, server }) => {
    describe(model.id, server);
    const goesOn = source === MICROPHONE && next === MICROPHONE;
    source = next;
    transcript.begin(goesOn);
    if (!goesOn) view.clear();
    view.expect(targets.codes);
    for (const id of ["lag", "first", "final", "rtf", "hears"]) $(id).textContent = "–";
    $("audio").textContent = clock(0);
    changed();
  },
  resumed: () => messages.show("note", { text: "The connection is back; nothing was lost." }),
  transcript: (event) => {
    view.show(transcript.take(event));
    lag(event);
    if (event.is_final) changed();
  },
  translation: (event) => {
    view.show(transcript.take(event));
    if (event.is_final) changed();
  },
  score: (event) => scores.show(event),
  ack: (event) => {
    transcript.heard(event.processed_ms);
    lag(event);
  },
  language: ({ to }) => {
    $("hears").textContent = language(to).name;
  },
  speech_started: () => document.body.classList.add("speaking"),
  speech_ended: () => document.body.classList.remove("speaking"),
  updated: ({ from_ms: from }) => {
    messages.show("note", { text: `The new choice holds from ${clock(from)} on.` });
  },
  warning: (event) => messages.show("warning", inWords(event)),
  error: (event) => {
    if (!event.fatal) messages.show("error", inWords(event));
  },
  goaway: ({ in_ms: rest }) => {
    messages.show("warning", { text: `The server stops in ${Math.round(rest / 1000)} s.` });
  },
  end: ({ audio_ms: audio, latency }) => {
    transcript.heard(audio);
    $("audio").textContent = clock(audio);
    $("first").textContent = milliseconds(latency.first_partial_ms);
    $("final").textContent = milliseconds(latency.final_p50_ms);
    $("rtf").textContent = latency.rtf.toFixed(2);
  },
};

function onEvent(event) {
  HEARD[event.type]?.(event);
  talk.take(event);
  translated.take(event);
}

function lag({ lag_ms: ms, processed_ms: processed }) {
  $("lag").textContent = milliseconds(ms);
  if (processed !== undefined) $("audio").textContent = clock(processed);
}

function milliseconds(ms) {
  return ms === null ? "–" : `${ms} ms`;
}

// Display

function setState(state) {
  document.body.dataset.state = state;
  const again = state === "reconnecting" && attempts > 1 ? ` (${attempts})` : "";
  $("state").textContent = `${STATES[state]}${again}`;
  const busy = state !== "idle";
  const start = document.body.dataset.mode === "talk" ? "Start talking" : "Start microphone";
  $("talk").setAttribute("aria-disabled", String(busy && finishing));
  $("talk").querySelector("span").textContent = busy && finishing ? "Finishing" : busy ? "Stop" : start;
  for (const part of [$("file"), $("mode")]) part.disabled = busy;
  $("key").disabled = busy;
}

function onLevel({ peak, rms }) {
  const db = (level) => Math.max(QUIETEST_DB, 20 * Math.log10(level || 1e-9));
  const share = (level) => String(1 - db(level) / QUIETEST_DB);
  $("meter").style.setProperty("--rms", share(rms));
  $("meter").style.setProperty("--peak", share(peak));
  $("meter").setAttribute("aria-valuenow", String(Math.round(db(rms))));
  $("meter").classList.toggle("clipping", peak >= 0.99);
}

/** Update the page after the finals have changed. */
function changed() {
  const { words } = transcript;
  $("words").textContent = String(words.length);
  for (const button of document.querySelectorAll("[data-save], #clear")) button.disabled = !words.length;
  $("clear").disabled = !words.length || live !== null;
}

function describe(model, server) {
  $("model").textContent = `${server}, model ${model}`;
}

function save(kind) {
  const { finals, words } = transcript;
  const make = { txt: () => toText(finals), srt: () => toSrt(words), vtt: () => toVtt(words) };
  const types = { txt: "text/plain", srt: "application/x-subrip", vtt: "text/vtt" };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([make[kind]()], { type: `${types[kind]};charset=utf-8` }));
  const now = new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-");
  link.download = `${source === MICROPHONE ? `speech-${now}` : source}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Colour theme

const THEMES = ["auto", "light", "dark"];

function theme(name) {
  document.documentElement.dataset.theme = name;
  const words = name === "auto" ? "as the system" : name;
  $("theme").querySelector("span").textContent = words;
  $("theme").setAttribute("aria-label", `Colours: ${words}`);
  localStorage.setItem("theme", name);
}

// Start

async function ask() {
  try {
    const response = await fetch("web/model.json");
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    const model = await response.json();
    for (const item of model.drafts) drafts.add(item.code);
    for (const item of [...model.languages, ...model.targets]) known.set(item.code, item);
    languages.fill(model.languages);
    targets.fill(model.targets);
    speaking.fill(model.voices, model.answers);
    translated.fill(model.says);
    translated.offer(targets.codes);
    voiceRate = model.voice_rate;
    $("mode").hidden = !model.answers;
    describe(model.id, model.server);
    $("access").open = model.needs_key && !$("key").value;
  } catch (error) {
    messages.show("error", { text: "The server did not say what its model can.", exact: error.message });
  }
}

$("talk").addEventListener("click", () => {
  if (live) live.stop();
  else begin();
});
$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  $("file").value = "";
  if (file) begin(file);
});
$("say").addEventListener("click", () => {
  if (speaking.speaking) speaking.stop();
  else speaking.start($("key").value.trim());
});
$("mode").addEventListener("change", ({ target }) => {
  document.body.dataset.mode = target.value;
  $("announce").setAttribute("aria-live", target.value === "talk" ? "off" : "polite"); // it would be heard by the microphone
  setState("idle");
});
$("voice").addEventListener("change", () => {
  if (document.body.dataset.mode === "talk") live?.converse(speaking.choice);
});
$("clear").addEventListener("click", () => {
  transcript.clear();
  view.clear();
  scores.clear();
  changed();
});
$("key").addEventListener("input", () => sessionStorage.setItem("key", $("key").value));
$("phrases").addEventListener("change", chosen);
$("say-translation").addEventListener("change", () => {
  if (live) translated.open(voiceRate);
  chosen();
});
$("reference").addEventListener("change", refer);
$("theme").addEventListener("click", () => {
  theme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
});
for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
for (const button of document.querySelectorAll("[data-save]")) {
  button.addEventListener("click", () => save(button.dataset.save));
}
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file && document.body.dataset.mode === "talk") messages.show("note", { text: "Files are written down, not answered." });
  else if (file && live) messages.show("note", { text: "Stop first, then drop the file again." });
  else if (file) begin(file);
});

$("key").value = sessionStorage.getItem("key") ?? "";
theme(localStorage.getItem("theme") ?? "auto");
setState("idle");
changed();
ask();
