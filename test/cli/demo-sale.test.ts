// `tearoff demo sale`, small, as it is typed: every shopper is accounted for, the counters of the server are those of the log, and
// what it says of its flags is true.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { PRODUCT_ENTRY } from '../support/project.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const CODES = 700
const SHOPPERS = 600
/** Half of the shoppers. */
const MAX_USES = 300

let temporary: string

beforeEach(() => {
  temporary = temporaryDirectory('demo-sale-test')
  mkdirSync(join(temporary, 'tmp'))
})

afterEach(() => {
  removeDirectory(temporary)
})

function demoSale(...flags: readonly string[]) {
  return spawnSync(process.execPath, [PRODUCT_ENTRY, 'demo', 'sale', ...flags], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', TMPDIR: join(temporary, 'tmp') },
    timeout: 50_000,
  })
}

/** `1,234 words` → 1234, for every match; a figure that is not there is none. */
function figures(text: string, words: string): number[] {
  return [...text.matchAll(new RegExp(`([\\d,]+) ${words}`, 'g'))].map(([, figure]) =>
    Number((figure as string).replaceAll(',', '')),
  )
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

it('sells to two crowds, proves it from the log, and keeps the log on request', { timeout: 60_000 }, () => {
  const { status, stdout, stderr } = demoSale('--codes', `${CODES}`, '--shoppers', `${SHOPPERS}`, '--keep')
  expect(status, stderr).toBe(0)
  // Standard error has the bar of the job and nothing else.
  for (const line of stderr.trimEnd().split('\n')) expect(line).toMatch(/^ {0,2}\d+ % {2}[\d,]+ of 700 codes/)
  expect(stdout).toContain(`A campaign of ${CODES} codes: 20 % off, at most ${MAX_USES} uses`)
  expect(stdout).toMatch(/^700 codes made and durable in [\d.]+ s\.$/m)
  expect(stdout.match(/^100 % {2}300 of 300 shoppers served/gm)).toHaveLength(2)

  const crowds = stdout.split('\n').filter((line) => line.includes('got a coupon'))
  expect(crowds).toHaveLength(2)
  for (const crowd of crowds) {
    // Everybody buys, lets go, or is told why not; three hundred come.
    const refused = sumOf(figures(crowd, '[A-Z_]{6,}'))
    expect(sumOf(figures(crowd, 'bought')) + sumOf(figures(crowd, 'let it run out')) + refused, crowd).toBe(300)
  }
  expect(sumOf(figures(crowds.join('\n'), 'let it run out'))).toBeGreaterThan(0)

  const proof = stdout.split('\n').filter((line) => /^ {2}[✓✗]/.test(line))
  expect(proof).toHaveLength(3)
  for (const line of proof) expect(line).toMatch(/^ {2}✓ /)

  const [kept] = readdirSync(join(temporary, 'tmp'))
  expect(stdout.trimEnd().split('\n').at(-1)).toBe(`The log is kept in ${join(temporary, 'tmp', kept ?? 'nothing')}`)
  const audit = auditLog(join(temporary, 'tmp', kept ?? 'nothing'))
  expect(audit.faults).toEqual([])
  const [campaign] = [...audit.campaigns.values()]
  const bought = sumOf(figures(crowds.join('\n'), 'bought'))
  expect(bought).toBeGreaterThan(0)
  expect(campaign).toMatchObject({ maxUses: MAX_USES, codes: CODES, uses: bought })
  const [, uses, given] = /^The campaign is [A-Z]+: ([\d,]+) uses, ([\d,]+) EUR given\.$/m.exec(stdout) ?? []
  expect(figures(`${uses} uses`, 'uses')).toEqual([bought])
  expect(figures(`${given} EUR`, 'EUR')).toEqual([Math.floor((campaign?.discountTotal ?? 0) / 100)])
  expect(figures(proof[0] ?? '', 'events')).toEqual([audit.events])
  expect(figures(proof[2] ?? '', 'purchases')).toEqual([bought])
})

it('with figures that make no sense ends with 2 before anything is started', () => {
  for (const flags of [
    ['--codes', '0'],
    ['--shoppers', '1000001'],
  ]) {
    const { status, stdout, stderr } = demoSale(...flags)
    expect([flags, status, stdout]).toEqual([flags, 2, ''])
    expect(stderr).toContain('It is a whole number from 1 to 1,000,000.')
    expect(readdirSync(join(temporary, 'tmp'))).toEqual([])
  }
})
