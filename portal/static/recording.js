// What is recorded of one channel, asked of DSS_SS over a WebSocket: the answer to a question is one group of
// pictures, a timeline or a small picture. A connection that breaks is opened anew, with a new one-time token.

const REST = [1000, 2000, 4000, 8000, 16000];
const UNREACHABLE = { what: "The recording cannot be reached.", why: "", remedy: "It is tried again by itself." };

export class Recording {
  /** `permit()` resolves to {ws} or throws {what, why, remedy, final}; `hears` has init, gop, end, lost, problem. */
  constructor(permit, hears) {
    Object.assign(this, { permit, hears, round: 0, count: 0, tries: 0, rest: 0, open: new Map() });
  }

  close() {
    this.closed = true;
    this.drop();
  }

  /** From `moment` on, times counted from `origin`; with `keys` key frames alone, with `sound` what was heard too,
   *  of the `stream` main or sub, and of the other where that was not recorded. What was asked before is void. */
  play(moment, origin, keys, sound, stream) {
    this.round += 1;
    this.about = null;
    return this.send({ do: "play", id: this.round, at: Math.round(moment), origin, keys, sound, stream });
  }

  /** The group of pictures after the last one. */
  more() {
    return this.send({ do: "more", id: this.round });
  }

  /** The answer to any other question; null if there is none. */
  async ask(question) {
    const id = `${question.do} ${(this.count += 1)}`;
    const answer = new Promise((done) => this.open.set(id, done));
    if (!(await this.send({ ...question, id }))) this.answer(id, null);
    return answer;
  }

  answer(id, message) {
    this.open.get(id)?.(message);
    this.open.delete(id);
  }

  // --- connection -------------------------------------------------------------------------------------

  async send(request) {
    if (this.closed || performance.now() < this.rest) return false;
    try {
      if (!this.socket) await (this.opening ??= this.connect().finally(() => (this.opening = null)));
      this.socket?.send(JSON.stringify(request));
      return Boolean(this.socket);
    } catch (problem) {
      this.rest = problem.final ? Infinity : performance.now() + REST[Math.min(this.tries, REST.length - 1)];
      this.tries += 1;
      this.hears.problem(problem);
      return false;
    }
  }

  async connect() {
    const answer = await this.permit();
    const url = new URL(answer.ws, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    await new Promise((done, failed) => {
      socket.onopen = done;
      socket.onerror = () => failed(UNREACHABLE);
    });
    if (this.closed) return socket.close();
    this.socket = socket;
    this.tries = 0;
    socket.onmessage = ({ data }) => socket === this.socket && this.take(data);
    socket.onclose = () => socket === this.socket && this.drop();
  }

  drop() {
    const { socket } = this;
    this.socket = null;
    this.about = null;
    for (const id of [...this.open.keys()]) this.answer(id, null);
    if (socket && !this.closed) this.hears.lost();
    socket?.close();
  }

  // --- answers ----------------------------------------------------------------------------------------

  take(data) {
    if (typeof data !== "string") {
      const { about } = this;
      this.about = null;
      if (about) this.hears[about.type](about, data);
      return;
    }
    const message = JSON.parse(data);
    if (this.open.has(message.id)) return this.answer(message.id, message);
    // An older release does not say which question it does not know.
    if (message.type === "problem") return [...this.open.keys()].forEach((id) => this.answer(id, null));
    const mine = message.id === this.round;
    if (message.type === "end") mine && this.hears.end();
    else this.about = mine ? message : null;
  }
}
