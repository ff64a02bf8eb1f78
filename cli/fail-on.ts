/**
 * `--fail-on SEVERITY`: from which severity on a command that finds something ends with status 1.
 */
import { SEVERITIES, type Severity } from '../machines/rules.ts';
import { UsageError } from './io.ts';

/** Returns the severity that `--fail-on` names, or null for `never`. Errors: UsageError naming what there is. */
export function failOnSeverity(text: string): Severity | null {
  if (text === 'never') return null;
  if (!(SEVERITIES as readonly string[]).includes(text)) throw new UsageError(`--fail-on ${text}: one of ${SEVERITIES.join(', ')}, never`);
  return text as Severity;
}
