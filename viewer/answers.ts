/**
 * What a design answers at every event, one number each: errno (or none) and the state of the domain after it.
 * Fed by the `onStep` of the audit; where two histories' numbers or rules differ is what compare mode goes through.
 */
import { grown } from '../machines/msi-pages.ts';
import { STATES, type State } from '../machines/states.ts';
import { NO_ERRNO, type TransitionTable } from '../machines/transition-table.ts';

/** A code is `answer * 16 | state`; an answer is an errno, which is 0 or negative, or 1 for none. */
const ANSWER = 16;
const NO_ANSWER = 1;
const NO_STATE = 15;
const NO_STEP = (NO_ANSWER * ANSWER) | NO_STATE;

/** What a design says of one event: null where the event has no answer to give, or is about no domain. */
export interface Answer {
  readonly errno: number | null;
  readonly state: State | null;
}

/** The answers of one design. Position p is at index p - 1. */
export class Answers {
  codes = new Int32Array(1 << 14).fill(NO_STEP);
  private readonly answers: Int32Array;

  constructor(table: TransitionTable) {
    this.answers = Int32Array.from(table.verdictErrno, (errno) => (errno === NO_ERRNO ? NO_ANSWER : errno) * ANSWER);
  }

  /** Makes room for positions up to this one. */
  ensure(position: number): void {
    const had = this.codes.length;
    if (position <= had) return;
    let size = had;
    while (size < position) size *= 2;
    this.codes = grown(this.codes, new Int32Array(size)).fill(NO_STEP, had);
  }

  /** One event on a domain has been judged. */
  step(position: number, after: number, verdict: number): void {
    this.codes[position - 1] = (verdict < 0 ? NO_ANSWER * ANSWER : this.answers[verdict]) | after;
  }

  /** Returns what the design says of an event. */
  at(position: number): Answer {
    const code = this.codes[position - 1] ?? NO_STEP;
    const answer = code >> 4;
    const state = code & NO_STATE;
    return { errno: answer === NO_ANSWER ? null : answer, state: state === NO_STATE ? null : STATES[state] };
  }
}
