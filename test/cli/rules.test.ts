/** `iommu-ledger rules`: the list, all about one, the JSON, and refused command lines. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../cli/io.ts';
import { nearNames } from '../../cli/near-names.ts';
import { addRulesCommand } from '../../cli/rules.ts';
import { DESIGNS } from '../../machines/design-list.ts';
import { answersOf } from '../../machines/rule-answers.ts';
import { RULES } from '../../machines/rules.ts';
import { run, temporaryDirectory } from './run.ts';

const folder = temporaryDirectory();
const IDS = RULES.map(({ id }) => id);

/** What `rules` with these arguments writes to `-o`. */
function rules(...args: string[]): string {
  const file = join(folder, 'out');
  const program = new Command('iommu-ledger').exitOverride();
  addRulesCommand(program);
  program.parse(['rules', '-o', file, ...args], { from: 'user' });
  return readFileSync(file, 'utf8');
}

describe('the list', () => {
  const list = rules();

  test('has every rule with severity and sentence, in the order of the findings', () => {
    const heads = [...list.matchAll(/^(critical|error|warning|info) +([a-z0-9-]+)(?: \[unseen\])?$/gm)];
    expect(heads.map(([, severity, id]) => [severity, id])).toEqual(RULES.map(({ severity, id }) => [severity, id]));
    for (const { sentence } of RULES) expect(list.replaceAll(/\s+/g, ' ')).toContain(sentence);
  });

  test('marks what no event can show, and says how many', () => {
    const marked = [...list.matchAll(/ ([a-z0-9-]+) \[unseen\]$/gm)].map((m) => m[1]);
    expect(marked).toEqual(RULES.filter((r) => r.unseen !== undefined).map(({ id }) => id));
    expect(list).toContain(`${RULES.length} rules; ${marked.length} [unseen]: no event carries the facts`);
  });

  test('of one design says its outcome too', () => {
    const one = rules('--design', 'private-data-owner-v2');
    expect(one).toMatch(/^critical +get-msi-cookie-on-iommufd  overwrites or rejected -EEXIST$/m);
    expect(one).toMatch(/^error +errno-mismatch$/m);
  });
});

test.each([[[]], [IDS], [['--design', 'v7.3']], [[...IDS, '--owner-bits', '3']]])('no line is longer than 80 columns, none ends in a space (%#)', (args) => {
  for (const line of rules(...args).split('\n')) {
    expect(line.length, line).toBeLessThanOrEqual(80);
    expect(line).not.toMatch(/ $/);
  }
});

describe('one rule', () => {
  test('sentence, why, what to record, where to check, outcome in each design, and how it is found', () => {
    expect(rules('get-msi-cookie-on-iommufd')).toBe(`\
get-msi-cookie-on-iommufd (critical)
  iommu_get_msi_cookie() on an UNMANAGED domain owned by iommufd.

why      The check looks only at iova_cookie, which iommufd never sets, so
         before cookie_type the call steals the domain from iommufd without any
         error.
record   iommu_get_msi_cookie (return), and how the domain came to iommufd:
         iommufd_hwpt_*_alloc, or the owner word at entry.
source   drivers/iommu/dma-iommu.c iommu_get_msi_cookie
check    6.12.107 drivers/iommu/iommufd/device.c:317
         7.3.4 drivers/iommu/dma-iommu.c:405

v6.12                      accepted
sw-msi                     overwrites
private-data-owner         overwrites
private-data-owner-guard   rejected -EEXIST
private-data-owner-v2      overwrites (iommufd_hwpt is NULL)
                           rejected -EEXIST (else)
cookie-type                rejected -EEXIST
v7.3                       rejected -EEXIST

accepted         allowed, and no fault
overwrites       what was there is replaced, and nothing says so
rejected         the call answers an errno and changes nothing

Found as info where the recorded kernel refused as its design does, as warning
under a design that would refuse, as critical where a kernel of such a design
did not, or in a design that does not refuse.
`);
  });

  test('answers that differ by owner say by which', () => {
    expect(rules('msi-map-failed', '--design', 'v7.3')).toContain(`
v7.3                       rejected -ENOMEM (dma_owned, msi_owned)
                           rejected with an errno (iommufd_owned)
`);
  });

  test('what no event shows says why', () => {
    const text = rules('hwpt-attach-other');
    expect(text).toContain('\nunseen   There is no event of iommufd_hw_pagetable_attach, and none carries the\n         HWPT of an iommufd_group.\n');
    expect(text).toContain('\nNo finding has this name: see `unseen`.\n');
  });

  test.each([
    ['msi-prepare-identity-rejected', /Found as info where the recorded kernel refused as its design does, else as\ncritical\./],
    ['get-cookie-enomem', /Found as info\./],
    ['domain-double-free', /Found as critical\./],
    ['static-domain-free', /Nothing of it is a finding\./],
    ['word-mismatch', /Compared with what each design predicts/],
  ])('%s: with which severity it is found', (id, found) => {
    expect(rules(id)).toMatch(found);
  });

  test.each([['2', '0x40000000', 30], ['3', '0x20000000', 29], ['25', '0x80', 7]])('--owner-bits %s: the first type that does not fit is %s', (bits, least, left) => {
    const text = rules('type-overflow-30-bits', '--owner-bits', bits).replaceAll(/\s+/g, ' ');
    expect(text).toContain(`private_data_owner:${bits} leaves type ${left} bits`);
    expect(text).toContain(`${least} is the first value that does not fit`);
    expect(text).toContain(`domain type does not fit ${left} bits.`);
    expect(text.includes("whatever the rule's name says")).toBe(bits !== '2');
  });

  test('a design without private_data_owner has room for any type', () => {
    expect(rules('type-overflow-30-bits', '--design', 'v7.3').replaceAll(/\s+/g, ' ')).toContain('this design has no private_data_owner: type has all 32 bits.');
  });

  test('several, one below the other', () => {
    const text = rules('map-non-paging', 'use-after-free');
    expect(text.split(`\n${'-'.repeat(80)}\n\n`)).toEqual([rules('map-non-paging'), rules('use-after-free')]);
  });
});

describe('--format json', () => {
  test('one object a rule, with the answers of each design', () => {
    const { schema, rules: listed } = JSON.parse(rules('--format', 'json')) as { schema: string; rules: Record<string, any>[] };
    expect(schema).toBe('iommu-ledger/rules/1');
    expect(listed.map(({ id }) => id)).toEqual(IDS);
    for (const [n, rule] of listed.entries()) {
      expect(Object.keys(rule)).toEqual(['id', 'severity', 'sentence', 'why', 'source', 'cites', 'needs', ...(RULES[n].unseen === undefined ? [] : ['unseen']), 'designs']);
      expect(rule['designs']).toEqual(Object.fromEntries(DESIGNS.map((d) => [d.id, answersOf(d, RULES[n].id)])));
    }
  });

  test('of one rule and one design', () => {
    expect(JSON.parse(rules('nested-wrong-type', '--design', 'v7.3', '--format', 'json'))).toMatchObject({
      rules: [{ id: 'nested-wrong-type', severity: 'error', cites: ['6.12.107 drivers/iommu/iommufd/hw_pagetable.c:254', '7.3.4 drivers/iommu/iommufd/hw_pagetable.c:277'], designs: { 'v7.3': [{ outcome: 'rejected-warn', errno: -95 }] } }],
    });
  });

  test('says the width that was asked for', () => {
    const { rules: listed } = JSON.parse(rules('owner-reserved-value', 'type-overflow-30-bits', '--owner-bits', '3', '--format', 'json')) as { rules: Record<string, any>[] };
    expect(listed.map(({ sentence }) => sentence)).toEqual(['private_data_owner above 2', 'domain type does not fit 29 bits']);
  });
});

test.each([
  [['get-msi-cokie-on-iommufd'], /^get-msi-cokie-on-iommufd: no such rule \(did you mean get-msi-cookie-on-iommufd\?\)$/],
  [['use-after-free', 'double_free'], /^double_free: no such rule \(did you mean domain-double-free\?\)$/],
  [['get-dma-cookie'], /^get-dma-cookie: no such rule \(did you mean one of get-dma-cookie-existing-cookie, get-dma-cookie-on-iommufd, /],
  [['qqqqqq'], /^qqqqqq: no such rule; `rules` lists them$/],
  [['--design', 'v9'], /--design v9: not one of v6\.12, /],
  [['--design', 'v7.3', '--owner-bits', '3'], /--owner-bits: v7\.3 has no private_data_owner/],
  [['--owner-bits', '1'], /--owner-bits 1: a whole number from 2 to 25/],
  [['--format', 'csv'], /--format csv: rules prints text, json/],
])('%j is refused', (args, message) => {
  expect(() => rules(...args)).toThrow(UsageError);
  expect(() => rules(...args)).toThrow(message);
});

test('near names: a swap of two letters is one error; nothing is near to noise', () => {
  expect(nearNames('map-non-pagnig', IDS)).toEqual(['map-non-paging']);
  expect(nearNames('xy', IDS)).toEqual([]);
  expect(nearNames('', IDS)).toEqual([]);
});

test('as a person runs it: the list on stdout, a wrong name on stderr with status 2', () => {
  expect(run(['rules', 'use-after-free'])).toEqual({ status: 0, stdout: rules('use-after-free'), stderr: '' });
  expect(run(['rules', 'use-after-fre'])).toEqual({ status: 2, stdout: '', stderr: 'iommu-ledger: use-after-fre: no such rule (did you mean use-after-free?); see --help\n' });
  expect(run(['--help']).stdout).toMatch(/^ {2}rules \[options\] \[rule\.\.\.\]/m);
});
