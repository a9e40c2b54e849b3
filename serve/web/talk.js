// A spoken dialogue with the server: its messages become turns of both sides, and its replies sound.

import { ReplyPlayer } from "./reply_player.js";
import { ReplyWords } from "./reply_words.js";

export class Talk {
  #view;
  #onError;
  #player = new ReplyPlayer((place) => this.#played(place));
  #user = null; // the user's turn that is under way: {segments, stable, growing, language}
  #over = -1; // last segment of the turns that are over
  #replies = new Map(); // number -> {number, state, words, heard, playedMs, user}

  /**
   * @param {import("./talk_view.js").TalkView} view
   * @param {(text: string, exact: string) => void} onError is told why there is no reply
   */
  constructor(view, onError) {
    this.#view = view;
    this.#onError = onError;
  }

  /** Begin a dialogue whose voice has this rate in Hz; call it at a click, so that the page may sound. */
  async begin(rate) {
    this.#user = null;
    this.#over = -1;
    this.#replies.clear();
    this.#view.clear();
    await this.#player.open(rate);
  }

  /** The dialogue is over: be silent. */
  end() {
    this.#player.close();
    for (const who of ["you", "speech"]) this.#view.speaks(who, false);
  }

  /** Take a message of the server. */
  take(event) {
    this.#heard[event.type]?.(event);
  }

  #heard = {
    speech_started: () => this.#view.speaks("you", true),
    speech_ended: () => this.#view.speaks("you", false),
    transcript: (event) => this.#transcript(event),
    turn: ({ reply, text, language }) => this.#turn(reply, text, language),
    turn_reopened: ({ reply }) => this.#reopen(reply),
    reply_text: ({ reply, delta }) => this.#change(reply, ({ words }) => words.add(delta)),
    reply_started: ({ reply, sample_rate: rate, stages }) => {
      this.#player.open(rate).catch((error) => this.#onError("The reply cannot be played.", error.message));
      this.#change(reply, (turn) => {
        turn.state = "saying";
        this.#view.showLatency(turn, stages);
      });
    },
    reply_audio: ({ reply, start_ms: startMs, words, pcm }) => {
      this.#player.push(reply, startMs, pcm);
      if (words.length) this.#change(reply, (turn) => turn.words.say(words));
    },
    reply_held: ({ reply }) => {
      this.#player.silence();
      this.#change(reply, (turn) => (turn.state = "held"));
    },
    reply_resumed: ({ reply }) => {
      this.#aside();
      this.#change(reply, (turn) => (turn.state = "saying"));
    },
    reply_truncated: ({ reply, text }) => {
      this.#player.silence();
      this.#change(reply, (turn) => Object.assign(turn, { state: "cut", heard: text }));
    },
    reply_done: ({ reply }) => this.#change(reply, (turn) => (turn.state = "done")),
    reply_failed: ({ reply, message }) => {
      this.#change(reply, (turn) => (turn.state = "failed"));
      this.#onError("There is no reply, or no more of it.", message);
    },
  };

  #transcript({ segment, text, words, stable, is_final: isFinal, languages }) {
    if (segment <= this.#over || (!text && !this.#user)) return;
    this.#user ??= { segments: new Map() };
    this.#user.segments.set(segment, { text, settled: isFinal ? text : settled(text, words.slice(0, stable)) });
    if (languages.length) this.#user.language = languages[0].code;
    this.#showUser();
  }

  #showUser() {
    const segments = [...this.#user.segments.values()];
    if (segments.every(({ text }) => !text)) {
      this.#view.remove(this.#user);
      this.#user = null;
      return;
    }
    const whole = segments.map(({ text }) => text).filter(Boolean).join(" ");
    const growing = segments.at(-1).text.slice(segments.at(-1).settled.length);
    const stable = whole.slice(0, whole.length - growing.length).trimEnd();
    this.#view.showUser(Object.assign(this.#user, { stable, growing: growing.trimStart() }));
  }

  #turn(number, text, language) {
    const user = this.#user ?? (text ? { segments: new Map() } : null);
    if (user && text) {
      this.#view.showUser(Object.assign(user, { stable: text, growing: "", language }));
    }
    this.#close(user);
    const turn = { number, state: "waiting", words: new ReplyWords(), heard: "", playedMs: 0, user };
    this.#replies.set(number, turn);
    this.#view.showReply(turn);
  }

  /** The user goes on before anything of the reply was heard. */
  #reopen(number) {
    const turn = this.#replies.get(number);
    if (!turn) return;
    this.#view.remove(turn);
    this.#replies.delete(number);
    if (!turn.user) return;
    const more = this.#user;
    if (more) this.#view.remove(more);
    for (const [segment, said] of more?.segments ?? []) turn.user.segments.set(segment, said);
    this.#user = turn.user;
    this.#showUser();
  }

  /** What was said over our voice was no turn: the reply goes on. */
  #aside() {
    if (!this.#user) return;
    this.#view.showUser(this.#user, { aside: true });
    this.#close(this.#user);
  }

  #close(user) {
    this.#over = Math.max(this.#over, ...(user?.segments.keys() ?? []));
    this.#user = null;
  }

  #change(number, change) {
    const turn = this.#replies.get(number);
    if (!turn) return;
    change(turn);
    this.#view.showReply(turn);
  }

  #played({ reply, playedMs, sounds }) {
    this.#view.speaks("speech", sounds);
    const turn = this.#replies.get(reply);
    if (!turn) return;
    turn.playedMs = playedMs;
    this.#view.light(turn);
  }
}

/** The beginning of a text up to the last of these words. */
function settled(text, words) {
  let place = 0;
  for (const word of words) {
    const at = text.indexOf(word.text, place);
    if (at < 0) break;
    place = at + word.text.length;
  }
  return text.slice(0, place);
}
