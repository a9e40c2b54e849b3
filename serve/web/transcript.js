// Transcript so far: segments with their words and translations. Independent of the page.

export class Transcript {
  #languages;
  #segments = new Map();
  #before = { segments: 0, ms: 0 }; // totals of earlier sessions that this transcript continues
  #end = { segments: 0, ms: 0 };

  /** @param {(code: string) => {spaces: boolean}} languages looks up a language */
  constructor(languages) {
    this.#languages = languages;
  }

  /** Start a session, which continues the transcript or clears it. */
  begin(goesOn) {
    if (!goesOn) this.clear();
    this.#before = { ...this.#end };
  }

  clear() {
    this.#segments.clear();
    this.#before = { segments: 0, ms: 0 };
    this.#end = { segments: 0, ms: 0 };
  }

  /** Apply a `transcript` or `translation` message; returns the changed segment. */
  take(event) {
    const id = this.#before.segments + event.segment;
    const segment = this.#segments.get(id) ?? { id, words: [], stable: 0, isFinal: false, translations: new Map() };
    this.#segments.set(id, segment);
    if (event.type === "translation") {
      segment.translations.set(event.target, { text: event.text, isFinal: event.is_final });
      segment.startMs ??= event.source[0] + this.#before.ms;
    } else {
      const words = event.words.map((word) => this.#moved(word));
      Object.assign(segment, { words, stable: event.stable, isFinal: event.is_final, text: event.text });
      segment.startMs = event.start_ms + this.#before.ms;
    }
    this.#end.segments = Math.max(this.#end.segments, id + 1);
    return segment;
  }

  /** Record that `ms` of audio of this session were processed. */
  heard(ms) {
    this.#end.ms = Math.max(this.#end.ms, this.#before.ms + ms);
  }

  /** All final segments so far that have words. */
  get finals() {
    return [...this.#segments.values()].filter((segment) => segment.isFinal && segment.words.length);
  }

  get words() {
    return this.finals.flatMap((segment) => segment.words);
  }

  get text() {
    return this.finals.map((segment) => segment.text).join(" ");
  }

  #moved(word) {
    const { text, conf, lang } = word;
    const spaces = lang === null || this.#languages(lang).spaces;
    return { text, conf, lang, spaces, startMs: word.start_ms + this.#before.ms, endMs: word.end_ms + this.#before.ms };
  }
}

/** Whether two words are separated by a space: not if both languages write none. */
export function apart(before, word) {
  return word.spaces || before.spaces;
}

export function join(words) {
  return words.map((word, n) => (n && apart(words[n - 1], word) ? ` ${word.text}` : word.text)).join("");
}

/** Format a time: 0:07, 1:02:03; with `digits` decimals: 0:07.25. */
export function clock(ms, digits = 0) {
  const unit = 1000 / 10 ** digits;
  const rounded = Math.floor(ms / unit) * unit;
  const hours = Math.floor(rounded / 3_600_000);
  const minutes = Math.floor(rounded / 60_000) % 60;
  const seconds = ((rounded % 60_000) / 1000).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}
