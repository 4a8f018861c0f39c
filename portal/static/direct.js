// One live picture with the lowest delay: WebRTC, opened by WHEP (RFC 9725). It knows no second try: where it does not
// work, or stops, it says "fallback" and why, and whoever made it shows the picture in the other way. Figures stand
// as data attributes on the <video> element, as those of player.js do.

import { play } from "./playing.js";

const FIRST = 8000; // milliseconds until the first picture
const SILENCE = 4000; // milliseconds without a picture before it is given up
const CARRIED = /Opus|G\.711/;

/** As Player of player.js, and `tell` may hear fallback, once and last. */
export class Direct {
  constructor(video, ask, tell, loud = false) {
    Object.assign(this, { video, ask, tell, loud, closed: false });
    this.clicked = this.pictured = performance.now();
    this.timer = setInterval(() => this.measure(), 250);
    this.connect().catch((problem) => this.fail(problem?.what ? problem : broken(problem)));
  }

  close() {
    if (this.closed) return;
    this.end();
    this.say("stopped");
  }

  say(state, problem) {
    this.video.dataset.state = state;
    this.tell(state, problem);
  }

  fail(problem) {
    if (this.closed) return;
    this.end();
    this.tell("fallback", problem);
  }

  end() {
    this.closed = true;
    clearInterval(this.timer);
    this.video.srcObject = null;
    this.peer?.close();
    if (this.session) fetch(this.session, { method: "DELETE", keepalive: true }).catch(() => {});
    this.session = null;
  }

  async connect() {
    this.say("connecting");
    if (!window.RTCPeerConnection) throw noWebRtc();
    const { whep } = await this.ask();
    if (this.closed) return;
    const peer = this.prepared();
    await peer.setLocalDescription();
    const answer = await this.offered(whep, peer.localDescription.sdp);
    if (this.closed) return this.end();
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    const sound = (this.video.dataset.sound = answer.headers.get("X-Sound") ?? "");
    if (this.loud && !CARRIED.test(sound)) this.tell("mute", noSound(sound));
    this.awaitFrame();
  }

  prepared() {
    const peer = (this.peer = new RTCPeerConnection());
    const stream = new MediaStream();
    peer.addTransceiver("video", { direction: "recvonly" });
    if (this.loud) peer.addTransceiver("audio", { direction: "recvonly" });
    peer.ontrack = ({ track, receiver }) => {
      receiver.jitterBufferTarget = 0;
      stream.addTrack(track);
      this.video.srcObject = stream;
      play(this.video);
    };
    peer.onconnectionstatechange = () => peer.connectionState === "failed" && this.fail(noWay());
    return peer;
  }

  async offered(whep, sdp) {
    const address = new URL(whep, location.href);
    const headers = { "Content-Type": "application/sdp" };
    const answer = await fetch(address, { method: "POST", headers, body: sdp });
    if (answer.status !== 201) throw await answer.json().catch(() => new Error(`The server answered with status ${answer.status}.`));
    this.session = new URL(answer.headers.get("Location"), address);
    return answer;
  }

  awaitFrame() {
    const shown = () => {
      if (this.closed) return;
      this.pictured = performance.now();
      if (!this.video.dataset.firstFrameMs) {
        this.video.dataset.firstFrameMs = String(Math.round(this.pictured - this.clicked));
        this.say("playing");
      }
      this.video.requestVideoFrameCallback(shown);
    };
    this.video.requestVideoFrameCallback(shown);
  }

  measure() {
    const quality = this.video.getVideoPlaybackQuality?.();
    const age = performance.now() - this.pictured;
    Object.assign(this.video.dataset, {
      frames: quality?.totalVideoFrames ?? 0,
      dropped: quality?.droppedVideoFrames ?? 0,
      ageMs: Math.round(age),
      lag: "0.00",
      reconnects: 0,
    });
    // A page that nobody looks at shows no pictures, and loses none.
    if (document.hidden) this.pictured = performance.now();
    else if (age > (this.video.dataset.firstFrameMs ? SILENCE : FIRST)) this.fail(silent());
  }
}

const noWebRtc = () => ({ what: "There is no lowest delay here.", why: "This browser has no WebRTC.", remedy: "" });
const noWay = () => ({
  what: "There is no way for the lowest delay.",
  why: "The node's UDP port for WebRTC cannot be reached from here.",
  remedy: "Have the port mapped or allowed; the page Ports has its number.",
});
const silent = () => ({
  what: "No picture came by WebRTC.",
  why: "The camera sends none now, or UDP does not pass between here and the node.",
  remedy: "Switch the lowest delay on again to try it once more.",
});
const broken = (error) => ({
  what: "The lowest delay did not work.",
  why: String(error?.message ?? error),
  remedy: "Switch it on again to try it once more.",
});
const noSound = (sound) => ({
  what: "This picture has no sound here.",
  why: sound ? `The camera sends ${sound}, which WebRTC does not carry.` : "The camera sends none.",
  remedy: "Set the camera's sound to G.711 or Opus, or switch the lowest delay off.",
});
