// One session of the page: an audio source and its stream.

import { FILE_RATE, decode, play } from "./audio_file.js";
import { SpeechStream, StreamError } from "./client.js";
import { Microphone } from "./microphone.js";

export class Live {
  #url;
  #options;
  #hear;
  #stream = null;
  #ending = new AbortController();
  #unsaid = [];

  /**
   * @param {URL} url URL of `/v1/stream`
   * @param {{key: string, languages: string[], targets: string[], translation: object, phrases: string[],
   *   dialogue?: object, interpret?: object}} options
   * @param {{onEvent: (event: object) => void, onLevel: (block: {peak: number, rms: number}) => void}} hear
   */
  constructor(url, options, hear) {
    this.#url = url;
    this.#options = options;
    this.#hear = hear;
  }

  /** Stream the microphone until `stop`; resolves with `end`. */
  async microphone() {
    const microphone = await Microphone.open({ echoes: Boolean(this.#options.dialogue ?? this.#options.interpret) });
    return this.#run(microphone.sampleRate, async (onBlock) => {
      try {
        await microphone.start(onBlock, (code) => {
          this.#hear.onEvent({ type: "warning", code });
          if (code === "device_gone") this.stop();
        });
        await this.#stopped();
      } finally {
        await microphone.stop();
      }
    });
  }

  /** Stream a file until its end or `stop`; resolves with `end`. */
  async file(file, realTime) {
    const samples = await decode(file);
    return this.#run(FILE_RATE, (onBlock, ready) => {
      return play(samples, { onBlock, ready, realTime, signal: this.#ending.signal });
    });
  }

  /** End the audio; the last finals follow. */
  stop() {
    this.#ending.abort();
  }

  /** Change languages, targets or phrases from here on. */
  update(options) {
    if (!this.#ending.signal.aborted) this.#stream?.update(options);
  }

  /** Change how the server answers. */
  converse(dialogue) {
    if (!this.#ending.signal.aborted) this.#stream?.converse(dialogue);
  }

  /** Add sentences to the reference; before the session starts they are queued. */
  refer(texts) {
    if (this.#ending.signal.aborted) return;
    if (this.#stream) for (const text of texts) this.#stream.refer(text, { languages: this.#options.languages });
    else this.#unsaid.push(...texts);
  }

  async #run(rate, feed) {
    const { key, ...options } = this.#options;
    const audio = { encoding: "pcm_s16le", sample_rate: rate, channels: 1 };
    const stream = new SpeechStream(this.#url, { key, start: { audio, ...options } });
    this.#stream = stream;
    this.refer(this.#unsaid);
    stream.on("*", this.#hear.onEvent);
    let over = false;
    let failure = null;
    const onBlock = (block) => {
      this.#hear.onLevel(block);
      if (!over) stream.send(block.pcm);
    };
    const feeding = feed(onBlock, () => stream.ready()).then(() => {
      if (over) return;
      this.#stream = null; // no more updates
      this.#hear.onEvent({ type: "state", state: "finishing" });
      stream.stop();
    });
    feeding.catch((error) => {
      if (error instanceof StreamError) return; // `done` rejects with it
      failure = error;
      stream.close();
    });
    try {
      await stream.open();
      return await stream.done;
    } catch (error) {
      throw failure ?? error;
    } finally {
      over = true;
      this.#stream = null;
      this.stop();
      await feeding.catch(() => {});
    }
  }

  #stopped() {
    const { signal } = this.#ending;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", resolve);
    });
  }
}
