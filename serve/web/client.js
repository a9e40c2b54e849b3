// One session with `/v1/stream` of a speech server (subprotocol `speech.v1`); resumes after broken connections.
//
//   const stream = new SpeechStream("wss://host/v1/stream", {
//     start: { audio: { encoding: "pcm_s16le", sample_rate: 48000, channels: 1 }, languages: ["eng", "spa"] },
//   });
//   stream.on("transcript", ({ is_final, text }) => show(text, is_final));
//   await stream.open();
//   stream.send(pcm); // an ArrayBuffer, repeatedly
//   const end = await stream.stop();
//
// Unacknowledged audio and messages are kept and sent again after a reconnect: nothing is lost or duplicated.

import { Replay } from "./replay.js";

const SUBPROTOCOL = "speech.v1";
const AUDIBLE = ["reply_audio", "translation_audio"]; // their samples are in the next binary frame
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 4000;
const CONNECT_MS = 10_000;
const QUIET_MS = 5_000; // silence of the server after which a keepalive is sent
const DEAD_MS = 12_000;
const WATCH_MS = 1_000;
const SOCKET_BYTES = 131_072; // limit of data buffered in the browser's socket
const AHEAD_BYTES = 65_536; // for compressed audio: `ready` waits while more is unacknowledged
const AHEAD = 0.8; // for PCM instead: share of the server's `max_lead_ms` that may be unprocessed
const STEADY_MS = 3_000; // a shorter connection counts as a failed attempt
const KEPT_BYTES = 64 * 1024 * 1024;
const FATAL_CLOSE = 4000; // codes below may be retried

/** Why the session ended; `code` is the server's, or one of: bad_key, unreachable, lost, behind, closed. */
export class StreamError extends Error {
  constructor(code, message, { retryable = false } = {}) {
    super(message);
    this.name = "StreamError";
    this.code = code;
    this.retryable = retryable;
  }
}

export class SpeechStream {
  #url;
  #key;
  #start;
  #handlers = new Map();
  #replay = new Replay();
  #socket = null;
  #ready = false; // the server has answered `start` or `resume` on this connection
  #paused = false;
  #stopping = false;
  #finished = false;
  #fatal = null;
  #token = "";
  #lastSeq = 0;
  #sentences = 0;
  #audible = null; // the message whose samples are in the next binary frame
  #ttlMs = 0;
  #messageBytes = 32_000;
  #bytesPerMs;
  #processedMs = 0;
  #aheadMs = 0;
  #attempt = 0;
  #brokenAt = 0;
  #heardAt = 0;
  #begunAt = 0;
  #timers = {};
  #waiting = []; // callbacks of `ready`
  #opened = deferred();
  #done = deferred();

  /** Id of the session; empty before `started`. */
  session = "";
  /** Number of successful reconnects. */
  reconnects = 0;

  /**
   * @param {string | URL} url ws: or wss: URL of `/v1/stream`
   * @param {{key?: string, start?: object}} options API key, and the fields of `start`
   */
  constructor(url, { key = "", start = {} } = {}) {
    this.#url = String(url);
    this.#key = key;
    this.#start = start;
    this.#bytesPerMs = bytesPerMs(start.audio ?? {});
  }

  /**
   * Subscribe to messages of one type (`transcript`, `ack`, ...), of all types ("*"), or to `state`:
   * {state: connecting | open | paused | reconnecting | closed, attempt}. Returns a function that unsubscribes.
   */
  on(type, handler) {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  /** Connect; resolves with `started`, rejects with a StreamError. */
  open() {
    this.#timers.watch = setInterval(() => this.#watch(), WATCH_MS);
    addEventListener("online", this.#hurry);
    this.#connect();
    return this.#opened.promise;
  }

  /** Resolves with `end`, rejects with the StreamError that ended the session. */
  get done() {
    return this.#done.promise;
  }

  /** Send audio in the encoding of `start`; it is queued until the connection is open. */
  send(data) {
    if (this.#stopping || this.#finished) throw new StreamError("closed", "no audio may follow stop");
    if (data.byteLength) this.#replay.addAudio(new Uint8Array(data));
    if (this.#replay.kept > KEPT_BYTES) {
      this.#fail(new StreamError("behind", "more audio has piled up than can be kept"));
    }
    this.#pump();
  }

  /** Resolves when more audio should be sent; for sources faster than real time. */
  ready() {
    if (this.#hasRoom) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Request finals of all audio so far; `finalized` with this id follows them. */
  finalize(id = null) {
    this.#say({ type: "finalize", id });
  }

  /** Change languages, targets, phrases, endpointing or interim; `updated` or an `error` follows. */
  update(options) {
    this.#say({ type: "update", ...options });
  }

  /** Change how the server answers, from its next reply on: the fields of `dialogue` in `start`. */
  converse(dialogue) {
    this.#say({ type: "update_dialogue", dialogue });
  }

  /** Send reference text, whole or sentence by sentence; `score` events follow the finals. */
  refer(text, fields = {}) {
    this.#say({ type: "reference", text, sentence: this.#sentences, ...fields });
    this.#sentences += 1;
  }

  /** End the audio; resolves with `end`, after the last finals. */
  stop() {
    if (!this.#stopping) this.#say({ type: "stop" });
    this.#stopping = true;
    return this.done;
  }

  /** Close at once, without the last finals. */
  close() {
    if (!this.#finished) this.#fail(new StreamError("closed", "the session was closed here"));
  }

  // Sending

  #say(message) {
    if (this.#stopping || this.#finished) throw new StreamError("closed", "nothing may follow stop");
    this.#replay.addMessage(message);
    this.#pump();
  }

  /** Whether more audio should be sent. Audio queues here, because in the socket it would delay pings as well. */
  get #hasRoom() {
    if (this.#finished) return true;
    if (!this.#bytesPerMs) return this.#replay.kept < AHEAD_BYTES;
    return this.#replay.end / this.#bytesPerMs - this.#processedMs < this.#aheadMs;
  }

  #pump() {
    const socket = this.#socket;
    if (this.#ready && !this.#paused && socket.readyState === WebSocket.OPEN) {
      while (socket.bufferedAmount < SOCKET_BYTES) {
        const item = this.#replay.take(this.#messageBytes);
        if (item === null) break;
        socket.send(item);
      }
    }
    if (this.#hasRoom) {
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
    if (this.#ready && this.#replay.unsent && !this.#timers.pump) { // a socket has no event for free buffer space
      this.#timers.pump = setTimeout(() => {
        this.#timers.pump = 0;
        this.#pump();
      }, 20);
    }
  }

  // Receiving

  #receive(event) {
    this.#heardAt = performance.now();
    if (!this.#ready && event.type === "error") { // the connection is refused; its `seq` means nothing
      this.#fatal = new StreamError(event.code, event.message, event);
      return;
    }
    if (event.type === "resumed") {
      this.#token = event.resume_token;
      this.#replay.rewind(event.received_bytes);
      this.reconnects += 1;
      this.#begin();
      this.#emit(event.type, event);
      return;
    }
    if (AUDIBLE.includes(event.type) && !event.pcm) { // counts as received once its samples are there
      this.#audible = event;
      return;
    }
    if (event.seq <= this.#lastSeq) return;
    this.#lastSeq = event.seq;
    this.#notice(event);
    if (event.type === "error" && event.code === "after_stop" && this.reconnects) return; // `stop` was sent twice
    this.#emit(event.type, event);
    if (event.type === "end") this.#finish(event);
  }

  #notice(event) {
    if (event.type === "started") {
      this.session = event.session;
      this.#token = event.resume_token;
      this.#ttlMs = event.resume_ttl_ms;
      this.#messageBytes = Math.min(this.#messageBytes, event.limits.max_message_bytes);
      this.#aheadMs = AHEAD * event.limits.max_lead_ms;
      this.#begin();
      this.#opened.resolve(event);
    } else if (event.type === "ack") {
      this.#replay.acknowledge(event.received_bytes);
      this.#processedMs = event.processed_ms;
      this.#pump();
    } else if (event.type === "flow") {
      this.#paused = event.state === "pause";
      this.#tell(this.#paused ? "paused" : "open");
      this.#pump();
    } else if (event.type === "finalized") {
      this.#replay.answered("finalize");
    } else if (event.type === "updated") {
      this.#replay.answered("update");
    } else if (event.type === "referenced") {
      this.#replay.answered("reference");
    } else if (event.type === "error" && event.fatal) {
      this.#fatal = new StreamError(event.code, event.message);
    }
  }

  #begin() {
    this.#ready = true;
    this.#begunAt = performance.now();
    clearTimeout(this.#timers.connect);
    this.#tell(this.#paused ? "paused" : "open");
    this.#pump();
  }

  #emit(type, event) {
    for (const name of [type, "*"]) this.#handlers.get(name)?.forEach((handler) => handler(event));
  }

  #tell(state) {
    this.#emit("state", { type: "state", state, attempt: this.#attempt });
  }

  // Connections

  #connect() {
    const offered = this.#key ? [SUBPROTOCOL, `bearer.${this.#key}`] : [SUBPROTOCOL];
    let socket;
    try {
      const url = new URL(this.#url);
      if (this.session) url.searchParams.set("session", this.session); // lets a proxy find the worker
      socket = new WebSocket(url, offered);
    } catch (error) {
      const odd = this.#key && /[^\w!#$%&'*+.^`|~-]/.test(this.#key);
      const text = odd ? "the API key has characters that a page cannot send" : error.message;
      this.#fail(new StreamError(odd ? "bad_key" : "unreachable", text));
      return;
    }
    this.#socket = socket;
    this.#fatal = null;
    this.#heardAt = performance.now();
    if (!this.session) this.#tell("connecting");
    const opening = this.session
      ? { type: "resume", session: this.session, token: this.#token, last_seq: this.#lastSeq }
      : { type: "start", ...this.#start };
    socket.onopen = () => socket.send(JSON.stringify(opening));
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      this.#receive(data instanceof ArrayBuffer ? { ...this.#audible, pcm: data } : JSON.parse(data));
    };
    socket.onclose = ({ code, reason }) => this.#broken(code, reason);
    this.#timers.connect = setTimeout(() => this.#abandon(), CONNECT_MS);
  }

  /** Treat the connection as broken without waiting for the browser to notice. */
  #abandon() {
    this.#release();
    this.#broken(1006, "");
  }

  #release() {
    const socket = this.#socket;
    clearTimeout(this.#timers.connect);
    this.#socket = null;
    this.#ready = false;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  #broken(code, reason) {
    const ran = this.#ready;
    const steady = ran && performance.now() - this.#begunAt > STEADY_MS;
    this.#release();
    if (this.#finished) return;
    const fatal = this.#fatal;
    const again = fatal?.retryable && this.session && !ran; // only this attempt was refused
    if (fatal && !again) this.#fail(fatal);
    else if (code >= FATAL_CLOSE) this.#fail(new StreamError(reason.split(":")[0] || String(code), reason));
    else if (!this.session) this.#fail(new StreamError("unreachable", `no answer from ${this.#url}`));
    else this.#again(steady);
  }

  #again(steady) {
    const now = performance.now();
    if (steady || !this.#attempt) {
      this.#attempt = 0;
      this.#brokenAt = now;
    }
    if (now - this.#brokenAt > this.#ttlMs) {
      const why = this.#fatal ? `: ${this.#fatal.message}` : "";
      this.#fail(new StreamError("lost", `the connection could not be made again${why}`));
      return;
    }
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#attempt, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
    this.#attempt += 1;
    this.#tell("reconnecting");
    this.#timers.retry = setTimeout(this.#hurry, pause);
  }

  #hurry = () => {
    if (this.#socket || this.#finished || !this.session) return;
    clearTimeout(this.#timers.retry);
    this.#connect();
  };

  #watch() {
    if (!this.#ready) return;
    const quiet = performance.now() - this.#heardAt;
    if (quiet > DEAD_MS || this.#socket.readyState !== WebSocket.OPEN) this.#abandon();
    else if (quiet > QUIET_MS && !this.#stopping) this.#socket.send('{"type":"keepalive"}');
  }

  // The end

  #finish(end) {
    this.#leave();
    this.#done.resolve(end);
  }

  #fail(error) {
    this.#leave();
    this.#opened.reject(error);
    this.#done.reject(error);
  }

  #leave() {
    this.#finished = true;
    clearInterval(this.#timers.watch);
    clearTimeout(this.#timers.retry);
    clearTimeout(this.#timers.pump);
    removeEventListener("online", this.#hurry);
    this.#release();
    this.#pump();
    this.#tell("closed");
  }
}

function deferred() {
  const found = {};
  found.promise = new Promise((resolve, reject) => Object.assign(found, { resolve, reject }));
  found.promise.catch(() => {}); // no unhandled rejection if nobody awaits it
  return found;
}

/** Bytes per millisecond of PCM; 0 for compressed audio. */
function bytesPerMs({ encoding = "pcm_s16le", sample_rate: rate = 16_000, channels = 1 }) {
  const size = { pcm_s16le: 2, pcm_f32le: 4, mulaw: 1, alaw: 1 }[encoding] ?? 0;
  return (size * rate * channels) / 1000;
}
