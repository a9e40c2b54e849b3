// A transcript as text and subtitles, cut as `speech transcribe` cuts them: two lines, seven seconds, no long pause.

import { join } from "./transcript.js";

const LINE = 42;
const CUE_MS = 7000;
const PAUSE_MS = 800;
const SHORTEST_CUE_MS = 20;

/** One line for each segment; its translations follow it. */
export function toText(finals) {
  const lines = finals.flatMap(({ text, translations }) => [
    text,
    ...[...translations].map(([target, translated]) => `\t[${target}] ${translated}`),
  ]);
  return lines.map((line) => `${line}\n`).join("");
}

export function toSrt(words) {
  return cues(words)
    .map(({ start, end, text }, n) => `${n + 1}\n${stamp(start, ",")} --> ${stamp(end, ",")}\n${text}\n`)
    .join("\n");
}

export function toVtt(words) {
  const blocks = cues(words).map(
    ({ start, end, text }) => `\n${stamp(start, ".")} --> ${stamp(end, ".")}\n${escaped(text)}\n`,
  );
  return `WEBVTT\n${blocks.join("")}`;
}

function cues(words) {
  let last = 0;
  return groups(words).map((group) => {
    const start = Math.max(group[0].startMs, last);
    last = Math.max(group.at(-1).endMs, start + SHORTEST_CUE_MS);
    return { start, end: last, text: lines(group) };
  });
}

function groups(words) {
  const found = [];
  for (const word of words) {
    const group = found.at(-1);
    const late =
      !group ||
      word.endMs - group[0].startMs > CUE_MS ||
      word.startMs - group.at(-1).endMs > PAUSE_MS ||
      !fits([...group, word]);
    if (late) found.push([word]);
    else group.push(word);
  }
  return found;
}

/** One line, or two of about the same length. */
function lines(words) {
  const whole = join(words);
  if (length(whole) <= LINE || words.length < 2) return whole;
  const splits = words.slice(1).map((_, n) => [join(words.slice(0, n + 1)), join(words.slice(n + 1))]);
  const longest = (pair) => Math.max(...pair.map(length));
  return splits.reduce((best, pair) => (longest(pair) < longest(best) ? pair : best)).join("\n");
}

function fits(words) {
  return lines(words)
    .split("\n")
    .every((line) => length(line) <= LINE);
}

function length(text) {
  return [...text].length; // characters, not UTF-16 units
}

function stamp(ms, mark) {
  const two = (number) => String(number).padStart(2, "0");
  const rest = Math.floor(ms / 1000);
  const head = `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
  return `${head}${mark}${String(ms % 1000).padStart(3, "0")}`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
