// @ts-check
// The live stream, and how old what it said is.
//
// A stalled connection delivers old frames in one burst when it wakes up, so age
// is counted from the server's time in a message and never from its arrival. The
// server's clock is told from the message that travelled fastest.

const SILENCE_MS = 30_000; // three pings
const REOPEN_MS = 5_000;

export class Stream {
  /** @param {{ frame: (live: any) => void, version: (version: string) => void }} on */
  constructor(on) {
    this.on = on;
    /** Newest data, server milliseconds. */
    this.at = null;
    /** Server milliseconds at performance.now() = 0. */
    this.offset = null;
    this.heard = performance.now();
    this.source = null;
    this.connected = false;
    document.addEventListener('visibilitychange', () => (document.hidden ? this.close() : this.open()));
    setInterval(() => this.watch(), 1_000);
    this.open();
  }

  /** The server's time now, as far as is known. */
  now() {
    return this.offset === null ? null : performance.now() + this.offset;
  }

  open() {
    if (this.source || document.hidden) return;
    this.heard = performance.now();
    let newest = -Infinity;
    let first = true;
    const source = new EventSource('/api/v1/live/stream');
    const hear = (serverMs) => {
      const travelled = serverMs - performance.now();
      this.offset = first || this.offset === null ? travelled : Math.max(this.offset, travelled);
      first = false;
      this.heard = performance.now();
      this.connected = true;
    };
    source.addEventListener('live', (event) => {
      const live = JSON.parse(event.data);
      const at = Date.parse(live.at);
      if (!(at >= newest)) return;
      newest = at;
      this.at = at;
      hear(at);
      this.on.frame(live);
    });
    source.addEventListener('ping', (event) => {
      const said = JSON.parse(event.data);
      hear(Date.parse(said.time));
      this.on.version(said.version);
    });
    source.addEventListener('bye', () => { this.connected = false; });
    source.addEventListener('error', () => {
      this.connected = false;
      // The browser comes back by itself unless the server said no.
      if (source.readyState === EventSource.CLOSED) this.close();
    });
    this.source = source;
  }

  close() {
    this.source?.close();
    this.source = null;
    this.connected = false;
    this.closed = performance.now();
  }

  watch() {
    const now = performance.now();
    if (this.source && now - this.heard > SILENCE_MS) this.close();
    if (!this.source && now - (this.closed ?? 0) > REOPEN_MS) this.open();
  }
}
