// What has been said so far: segments, their words and translations. Knows no page.

export class Transcript {
  #languages;
  #segments = new Map();
  #before = { segments: 0, ms: 0 }; // of earlier sessions that this transcript goes on from
  #end = { segments: 0, ms: 0 };

  /** @param {(code: string) => {spaces: boolean}} languages what is known of a language */
  constructor(languages) {
    this.#languages = languages;
  }

  /** A session begins; it goes on where the one before ended, or the transcript is empty again. */
  begin(goesOn) {
    if (!goesOn) this.clear();
    this.#before = { ...this.#end };
  }

  clear() {
    this.#segments.clear();
    this.#before = { segments: 0, ms: 0 };
    this.#end = { segments: 0, ms: 0 };
  }

  /** The segment that a `transcript` or `translation` of the server changes. */
  take(event) {
    const id = this.#before.segments + event.segment;
    const segment = this.#segments.get(id) ?? { id, words: [], stable: 0, isFinal: false, translations: new Map() };
    this.#segments.set(id, segment);
    if (event.type === "translation") {
      segment.translations.set(event.target, event.text);
      segment.startMs ??= event.source[0] + this.#before.ms;
    } else {
      const words = event.words.map((word) => this.#moved(word));
      Object.assign(segment, { words, stable: event.stable, isFinal: event.is_final, text: event.text });
      segment.startMs = event.start_ms + this.#before.ms;
    }
    this.#end.segments = Math.max(this.#end.segments, id + 1);
    return segment;
  }

  /** How much audio of this session there has been. */
  heard(ms) {
    this.#end.ms = Math.max(this.#end.ms, this.#before.ms + ms);
  }

  /** All segments so far that have been read to their end and say something. */
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

/** Whether a space goes between two words: not where both languages write none. */
export function apart(before, word) {
  return word.spaces || before.spaces;
}

export function join(words) {
  return words.map((word, n) => (n && apart(words[n - 1], word) ? ` ${word.text}` : word.text)).join("");
}

/** 0:07, 1:02:03; with `digits` of the second: 0:07.25. */
export function clock(ms, digits = 0) {
  const unit = 1000 / 10 ** digits;
  const rounded = Math.floor(ms / unit) * unit;
  const hours = Math.floor(rounded / 3_600_000);
  const minutes = Math.floor(rounded / 60_000) % 60;
  const seconds = ((rounded % 60_000) / 1000).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}
