// A clip of the marked channel: where it begins and ends, and its download.

export class Clips {
  constructor(desk, permit, say, changed) {
    Object.assign(this, { desk, changed, start: null, end: null });
    this.parts = Object.fromEntries(["mark-start", "mark-end", "download"].map((id) => [id, document.getElementById(id)]));
    this.parts["mark-start"].addEventListener("click", () => this.begin());
    this.parts["mark-end"].addEventListener("click", () => this.finish());
    this.parts.download.addEventListener("click", () => this.download(permit).catch(say));
  }

  begin() {
    this.set(Math.round(this.desk.now), null);
  }

  finish() {
    if (this.start === null) return;
    const [low, high] = [this.start, Math.round(this.desk.now)].sort((one, other) => one - other);
    this.set(low, Math.max(high, low + 1000));
  }

  set(start, end) {
    Object.assign(this, { start, end });
    this.parts["mark-end"].disabled = start === null;
    this.parts.download.disabled = start === null || end === null;
    this.desk.bar.mark({ start, end });
    this.changed();
  }

  async download(permit) {
    const { clip } = await permit(this.desk.marked.channel);
    const link = document.createElement("a");
    link.href = `${clip}&from=${this.start}&to=${this.end}`;
    link.download = "";
    link.click();
  }
}
