// A text that the server says (`/v1/speak`), played while it comes; each word is lit while it is said.

const SUBPROTOCOL = "speech.v1";
const AHEAD_S = 0.1; // playback starts this much after the first samples

export class Speaking {
  #parts;
  #url;
  #onError;
  #socket = null;
  #context = null;
  #letters = []; // of the text, as code points, which the server counts
  #place = 0; // letters that are shown
  #words = []; // {span, start, end}
  #runs = []; // {at, time}: audio from `at` seconds on is played from `time` on
  #length = 0; // seconds of audio that have come
  #until = 0; // time at which they have been played
  #done = false;

  /**
   * @param {{section, choice, text, voice, button, said}} parts elements of the page
   * @param {URL} url ws: or wss: URL of `/v1/speak`
   * @param {(text: string) => void} onError is told what went wrong
   */
  constructor(parts, url, onError) {
    this.#parts = parts;
    this.#url = url;
    this.#onError = onError;
  }

  /** Show the voices, [{id, language}]; the section appears if there are some. `automatic`: none need be chosen. */
  fill(voices, automatic) {
    this.#parts.voice.replaceChildren(
      ...(automatic ? [new Option("automatic", "")] : []),
      ...voices.map(({ id, language }) => new Option(`${id} (${language.name})`, `${language.code} ${id}`)),
    );
    this.#parts.section.hidden = this.#parts.choice.hidden = !voices.length;
  }

  /** The chosen voice and its language; no fields if the server shall choose. */
  get choice() {
    const [language, voice] = this.#parts.voice.value.split(" ");
    return voice ? { language, voice } : {};
  }

  get speaking() {
    return this.#socket !== null;
  }

  /** Say the text, with an API key if there is one. */
  start(key) {
    const text = this.#parts.text.value;
    if (!text.trim()) {
      this.#parts.text.focus();
      return;
    }
    const { choice } = this;
    this.#letters = [...text];
    this.#words = [];
    this.#runs = [];
    this.#place = this.#length = this.#until = 0;
    this.#done = false;
    this.#parts.said.replaceChildren();
    this.#parts.button.textContent = "Stop";
    this.#socket = new WebSocket(this.#url, key ? [SUBPROTOCOL, `bearer.${key}`] : [SUBPROTOCOL]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.addEventListener("open", () => {
      for (const message of [{ type: "start", ...choice }, { type: "text", text }, { type: "end" }]) {
        this.#socket?.send(JSON.stringify(message));
      }
    });
    this.#socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) this.#play(data);
      else this.#heard(JSON.parse(data));
    });
    this.#socket.addEventListener("close", ({ reason }) => {
      if (this.#socket && !this.#done) {
        this.stop();
        this.#onError(reason || "The connection to the voice was lost.");
      }
    });
  }

  /** Be silent at once. */
  stop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#context?.close();
    this.#context = null;
    for (const { span } of this.#words) span.classList.remove("lit");
    this.#parts.button.textContent = "Speak";
  }

  #heard(message) {
    if (message.type === "started") {
      this.#context = new AudioContext({ sampleRate: message.sample_rate });
      requestAnimationFrame(this.#light);
    } else if (message.type === "words") {
      for (const word of message.words) this.#show(word);
    } else if (message.type === "done") {
      this.#done = true;
      this.#write(this.#letters.length);
    } else if (message.type === "error") {
      this.stop();
      this.#onError(message.message);
    }
  }

  #play(data) {
    const whole = new Int16Array(data);
    const buffer = this.#context.createBuffer(1, whole.length, this.#context.sampleRate);
    buffer.copyToChannel(Float32Array.from(whole, (sample) => sample / 32768), 0);
    const player = new AudioBufferSourceNode(this.#context, { buffer });
    player.connect(this.#context.destination);
    if (this.#until < this.#context.currentTime) { // the first samples, or they came too late
      this.#until = this.#context.currentTime + AHEAD_S;
      this.#runs.push({ at: this.#length, time: this.#until });
    }
    player.start(this.#until);
    this.#until += buffer.duration;
    this.#length += buffer.duration;
  }

  #show({ start, end, source: [first, last] }) {
    if (first < this.#place) { // a further word of the same letters, such as "$5"
      const before = this.#words.at(-1);
      if (before) before.end = end;
      return;
    }
    this.#write(first);
    const span = document.createElement("span");
    span.textContent = this.#letters.slice(first, last).join("");
    this.#parts.said.append(span);
    this.#place = last;
    this.#words.push({ span, start, end });
  }

  #write(to) {
    this.#parts.said.append(this.#letters.slice(this.#place, to).join(""));
    this.#place = to;
  }

  #light = () => {
    if (!this.#context) return;
    const now = this.#context.currentTime;
    const number = this.#runs.findLastIndex(({ time }) => time <= now);
    const run = this.#runs[number];
    const come = this.#runs[number + 1]?.at ?? this.#length; // nothing is said while no more audio has come
    const said = run ? Math.min(run.at + now - run.time, come) : -1;
    for (const { span, start, end } of this.#words) {
      span.classList.toggle("lit", start <= said && said < end);
      span.classList.toggle("past", end <= said);
    }
    if (this.#done && now >= this.#until) this.stop();
    else requestAnimationFrame(this.#light);
  };
}
