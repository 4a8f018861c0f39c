// Talking to a camera: the microphone is asked for only then, and given back at the end.

import { permission } from "./asking.js";

const OTHERWISE = { what: "You cannot talk to this camera.", remedy: "Try again." };
const MOST_WAITING = 16 * 1024; // bytes; of more, sound is left out: late words are worse than none
const worklet = new URL("./talk_worklet.js", import.meta.url);

export class Talk {
  /** `tell(state, problem)`: asking, talking with a level, ended. */
  constructor(address, csrf, tell) {
    Object.assign(this, { address, csrf, tell, over: false });
    this.run().catch((problem) => this.end(problem?.what ? problem : { ...OTHERWISE, why: String(problem) }));
  }

  async run() {
    this.tell("asking");
    if (!window.isSecureContext || !navigator.mediaDevices) throw insecure();
    const { ws } = await permission(this.address, this.csrf, OTHERWISE);
    if (this.over) return;
    const audio = { channelCount: 1, echoCancellation: true, autoGainControl: true, noiseSuppression: false };
    this.microphone = await navigator.mediaDevices.getUserMedia({ audio }).catch((error) => {
      throw silent(error);
    });
    if (this.over) return this.release();
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule(worklet);
    if (this.over) return this.release();
    this.socket = new WebSocket(new URL(ws, location.href.replace(/^http/, "ws")));
    this.socket.addEventListener("message", ({ data }) => this.told(JSON.parse(data)));
    this.socket.addEventListener("close", () => this.end(lost()));
  }

  told(message) {
    if (message.type === "note") this.end(message);
    else if (message.type === "ready" && !this.over) this.speak(message.codec);
  }

  speak(codec) {
    const voice = new AudioWorkletNode(this.context, "voice", { numberOfOutputs: 0, processorOptions: { codec } });
    voice.port.onmessage = ({ data }) => {
      if (this.over) return;
      if (this.socket.bufferedAmount < MOST_WAITING) this.socket.send(data.sound);
      this.tell("talking", null, data.level);
    };
    this.context.createMediaStreamSource(this.microphone).connect(voice);
    this.tell("talking", null, 0);
  }

  /** Stop; `problem` says why where nobody asked for it. */
  end(problem) {
    if (this.over) return;
    this.over = true;
    this.release();
    this.tell("ended", problem);
  }

  release() {
    this.socket?.close();
    this.context?.close();
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
  }
}

function lost() {
  return {
    what: "The talk has ended.",
    why: "The connection to the camera's server was closed.",
    remedy: "Press the button to talk again.",
  };
}

function insecure() {
  return {
    what: "The browser gives this page no microphone.",
    why: "It does so only for pages that came by HTTPS with a certificate that it trusts.",
    remedy: "Open the portal by its HTTPS address, and have the site's authority trusted on this computer.",
  };
}

function silent({ name }) {
  const refused = name === "NotAllowedError";
  return {
    what: "There is no microphone to talk with.",
    why: refused ? "This page may not use it." : "The browser found none.",
    remedy: refused ? "Allow it in the browser, beside the address." : "Connect one, and try again.",
  };
}
