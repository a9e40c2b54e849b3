// Transcript as text and subtitles, cut as in `speech transcribe`: at most two lines and seven seconds, no long pause.
// A cue stays as long as it takes to read it, if the next one leaves room.

import { join } from "./transcript.js";

const LINE = 42; // columns
const CUE_MS = 7000;
const PAUSE_MS = 800;
const LEAST_MS = 2500 / 3;
const SHORTEST_CUE_MS = 20;
const COLUMNS_A_SECOND = 20;
const MARK = /\p{Mn}|\p{Me}|\p{Cf}/u;
const SPACING_MARK = /\p{Mc}/u;
const FORMAT = /\p{Cf}/u;
const WIDE = // wide characters by East Asian Width
  new RegExp(
    "[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\u33ff\\u3400-\\u4dbf\\u4e00-\\ua4cf\\ua960-\\ua97c\\uac00-\\ud7a3\\uf900-\\ufaff" +
      "\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6\\u{1f300}-\\u{1f64f}\\u{1f900}-\\u{1f9ff}\\u{20000}-\\u{3fffd}]",
    "u",
  );
const NO_START = new Set(
  "、。，．・：；？！％」』】〕〉》）］｝”’…‥々〻ーゝゞヽヾ〜～" +
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ" +
    "ะาำๅๆฯະາຳຯໆ" +
    ",.:;?!%)]}»›",
);
const NO_END = new Set("「『【〔〈《（［｛“‘" + "เแโใไເແໂໃໄ" + "([{«‹");

/** One line for each segment; its translations follow it. */
export function toText(finals) {
  const lines = finals.flatMap(({ text, translations }) => [
    text,
    ...[...translations].map(([target, { text: translated }]) => `\t[${target}] ${translated}`),
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
  const found = groups(words).map((group) => {
    const start = Math.max(group[0].startMs, last);
    last = Math.max(group.at(-1).endMs, start + SHORTEST_CUE_MS);
    return { start, end: last, text: lines(group) };
  });
  return found.map((cue, n) => {
    const room = n + 1 < found.length ? found[n + 1].start : Infinity;
    return { ...cue, end: Math.max(cue.end, Math.min(cue.start + readingMs(cue.text), room)) };
  });
}

/** Reading time of a cue, which it stays if the next one leaves room. */
function readingMs(text) {
  const width = text.split("\n").reduce((sum, line) => sum + columns(line), 0);
  return Math.min(Math.max(LEAST_MS, (width / COLUMNS_A_SECOND) * 1000), CUE_MS);
}

function groups(words) {
  const found = [];
  for (const word of words.filter(({ text }) => text.trim())) {
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

/** Break words into one line, or two of similar width. */
function lines(words) {
  const whole = join(words);
  if (columns(whole) <= LINE) return whole;
  const splits = words
    .map((_, n) => [words.slice(0, n), words.slice(n)])
    .filter(([first, second]) => first.length && mayBreak(first.at(-1), second[0]))
    .map(([first, second]) => [join(first), join(second)]);
  const widest = (pair) => Math.max(...pair.map(columns));
  return splits.length
    ? splits.reduce((best, pair) => (widest(pair) < widest(best) ? pair : best)).join("\n")
    : whole;
}

function fits(words) {
  return lines(words)
    .split("\n")
    .every((line) => columns(line) <= LINE);
}

/** Width in terminal columns: East Asian wide characters take two, combining marks none. */
function columns(text) {
  const wide = (character) => (MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1);
  return [...text.normalize("NFC")].reduce((sum, character) => sum + wide(character), 0);
}

/** Whether a line may break between two words: always at a space, else by the rules of scripts without spaces. */
function mayBreak(before, after) {
  if (before.spaces || after.spaces) return true;
  const [last, first] = [[...before.text].at(-1), [...after.text][0]];
  if (MARK.test(first) || SPACING_MARK.test(first) || FORMAT.test(last)) return false;
  return !NO_START.has(first) && !NO_END.has(last);
}

function stamp(exactMs, mark) {
  const ms = Math.round(exactMs);
  const two = (number) => String(number).padStart(2, "0");
  const rest = Math.floor(ms / 1000);
  const head = `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
  return `${head}${mark}${String(ms % 1000).padStart(3, "0")}`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
