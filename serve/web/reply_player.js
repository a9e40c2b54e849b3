// Plays replies as they come, at the sampling rate of the voice; silent at once when it is told so.

export class ReplyPlayer {
  #context = null;
  #node = null;
  #early = []; // samples that came before the device was ready
  #onPlayed;

  /**
   * @param {(place: {reply: number | null, playedMs: number, sounds: boolean}) => void} onPlayed is told where the player
   *   is, about 25 times a second while it plays, and when it falls silent
   */
  constructor(onPlayed) {
    this.#onPlayed = onPlayed;
  }

  /** Make the device ready for samples of this rate in Hz; best at a click, since browsers let pages play only then. */
  async open(rate) {
    if (this.#context?.sampleRate === rate) return;
    this.close();
    const context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    this.#context = context;
    await context.audioWorklet.addModule(new URL("player-worklet.js", import.meta.url));
    if (this.#context !== context) return; // it was closed in the meantime
    this.#node = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#node.port.onmessage = ({ data }) => this.#onPlayed(data);
    this.#node.connect(context.destination);
    for (const samples of this.#early.splice(0)) this.#post(samples);
    context.resume(); // waits for a click where the browser wants one
  }

  /**
   * Queue samples of a reply, 16 bits, mono.
   * @param {number} reply
   * @param {number} startMs where they begin in it: earlier than what is queued, they replace that
   * @param {ArrayBuffer} pcm
   */
  push(reply, startMs, pcm) {
    const samples = { reply, startMs, pcm };
    if (this.#node) this.#post(samples);
    else this.#early.push(samples);
  }

  /** Be silent at once; what is queued is dropped. */
  silence() {
    this.#early.length = 0;
    this.#node?.port.postMessage({ silence: true });
  }

  /** Release the device. */
  close() {
    this.#early.length = 0;
    this.#context?.close();
    this.#context = this.#node = null;
  }

  #post(samples) {
    this.#node.port.postMessage(samples, [samples.pcm]);
  }
}
