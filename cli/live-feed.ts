/**
 * The events of a live page on their way to the browsers that look at it: compressed once, kept for whoever comes later, and
 * sent as fast as each of them takes it.
 */
import type { EventBatch } from '../events/batch.ts';
import { packBlock, type LiveNews } from '../viewer/page-data.ts';
import { deflatePiece, packBatch } from './page.ts';

/** What comes within this time goes out together. Units: milliseconds. */
const TOGETHER_MS = 100;
const PIECE_BYTES = 1 << 18;

/** Where a browser is: it takes pieces while `write` is true, and asks for more by `drained`. */
export interface Listener {
  write(bytes: Buffer): boolean;
  end(bytes: Buffer): void;
}

interface Place {
  readonly listener: Listener;
  /** Pieces and news that it has. */
  pieces: number;
  news: number;
  busy: boolean;
}

/** All events so far, for any number of listeners. */
export class LiveFeed {
  private readonly recording: () => LiveNews['recording'];
  private readonly pieces: Buffer[] = [];
  private news: Buffer;
  private newsNumber = 1;
  private ended = false;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private timer: NodeJS.Timeout | null = null;
  private readonly places = new Set<Place>();

  constructor(recording: () => LiveNews['recording']) {
    this.recording = recording;
    this.news = this.packNews();
  }

  /** Adds the rows of a batch. */
  add(batch: EventBatch): void {
    if (batch.length === 0) return;
    const packed = packBatch(batch);
    this.waiting.push(packed);
    this.waitingBytes += packed.length;
    if (this.waitingBytes >= PIECE_BYTES) this.send();
    else this.timer ??= setTimeout(() => this.send(), TOGETHER_MS);
  }

  /** The source has ended. */
  end(): void {
    this.ended = true;
    this.send();
  }

  /** Sends everything from the first event on, and what comes later; returns what to call when there is room again, and when it is gone. */
  listen(listener: Listener): { drained: () => void; gone: () => void } {
    const place: Place = { listener, pieces: 0, news: 0, busy: false };
    this.places.add(place);
    this.pump(place);
    return {
      drained: () => {
        place.busy = false;
        this.pump(place);
      },
      gone: () => void this.places.delete(place),
    };
  }

  private send(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.waiting.length > 0) this.pieces.push(deflatePiece(Buffer.concat(this.waiting), false));
    this.waiting = [];
    this.waitingBytes = 0;
    this.news = this.packNews();
    this.newsNumber++;
    for (const place of this.places) this.pump(place);
  }

  private pump(place: Place): void {
    const { listener } = place;
    while (!place.busy && place.pieces < this.pieces.length) place.busy = !listener.write(this.pieces[place.pieces++]);
    if (place.busy || place.news === this.newsNumber) return;
    place.news = this.newsNumber;
    place.busy = !listener.write(this.news);
    if (!this.ended) return;
    this.places.delete(place);
    listener.end(deflatePiece(new Uint8Array(), true));
  }

  private packNews(): Buffer {
    const news: LiveNews = { recording: this.recording(), ended: this.ended };
    return deflatePiece(packBlock({ rows: 0, bytes: Buffer.from(JSON.stringify(news)) }), false);
  }
}
