/**
 * Which violations go into a synthetic recording, and when: the rules take turns, one in so many life cycles, and each comes
 * at least once. Where in its life cycle a rule is broken is in generate-type1.ts and generate-iommufd.ts.
 */

/** The rules that can be planted, and the life cycle in which each can happen. */
export const INJECTABLE = {
  'get-msi-cookie-on-iommufd': 'iommufd',
  'get-msi-cookie-existing-cookie': 'type1',
  'get-dma-cookie-on-iommufd': 'iommufd',
  'domain-double-free': 'iommufd',
  'use-after-free': 'type1',
  'free-while-attached': 'type1',
  'msi-duplicate-doorbell': 'type1',
  'msi-iova-outside-window': 'type1',
  'msi-page-unmapped': 'iommufd',
  'word-mismatch': 'iommufd',
  'errno-mismatch': 'type1',
  'msi-address-mismatch': 'type1',
} as const;

/** A rule that can be planted. */
export type InjectableRule = keyof typeof INJECTABLE;

/** Which rule is to be planted next, and what has been planted so far. */
export class Plan {
  injected = 0;
  private lives = 0;
  private turn = 0;
  private readonly due: InjectableRule[];
  private readonly missing: Set<InjectableRule>;
  private readonly rules: readonly InjectableRule[];
  private readonly every: number;

  constructor(rules: readonly InjectableRule[], every: number) {
    this.rules = rules;
    this.every = every;
    this.due = [...rules];
    this.missing = new Set(rules);
  }

  /** Counts one more life cycle; every so many of them the next rule falls due. */
  begin(): void {
    if (++this.lives % this.every === 0 && this.rules.length > 0) this.due.push(this.rules[this.turn++ % this.rules.length]);
  }

  /** Returns the kind of life cycle that the next rule needs. */
  wants(): 'type1' | 'iommufd' | undefined {
    return this.due.length === 0 ? undefined : INJECTABLE[this.due[0]];
  }

  take(kind: 'type1' | 'iommufd'): InjectableRule | undefined {
    return this.wants() === kind ? this.due.shift() : undefined;
  }

  planted(rule: InjectableRule): void {
    this.injected++;
    this.missing.delete(rule);
  }

  /** True when each rule has been planted at least once. */
  complete(): boolean {
    return this.missing.size === 0;
  }
}
