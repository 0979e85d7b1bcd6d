// The demo, small, as it is typed: the race, the proof, and nothing left behind.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { ProgressBar } from '../../cli/demo/progress-bar.ts'
import { PRODUCT_ENTRY } from '../support/project.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

let temporary: string

beforeEach(() => {
  temporary = temporaryDirectory('demo-test')
  mkdirSync(join(temporary, 'tmp'))
})

afterEach(() => {
  removeDirectory(temporary)
})

function demo(...flags: readonly string[]) {
  return spawnSync(process.execPath, [PRODUCT_ENTRY, 'demo', ...flags], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', TMPDIR: join(temporary, 'tmp') },
    timeout: 25_000,
  })
}

it('shows 2,000 buyers who race for 50 uses, proves that 50 got it, and leaves nothing behind', () => {
  const { status, stdout, stderr } = demo('--buyers', '2000', '--uses', '50')
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).toContain('100 %  2,400 of 2,400 answered, 50 redeemed')
  const proof = stdout.split('\n').filter((line) => /^ {2}[✓✗]/.test(line))
  expect(proof).toHaveLength(4)
  expect(proof[1]).toBe('  ✓ exactly 50 different users got it, each once')
  expect(proof[3]).toMatch(/^ {2}✓ all 50 acknowledgements/)
  expect(readdirSync(join(temporary, 'tmp'))).toEqual([])
})

it('with more uses than buyers serves everybody once, and keeps the log on request', () => {
  const { status, stdout } = demo('--buyers', '30', '--uses', '100', '--keep')
  expect(status).toBe(0)
  expect(stdout).toContain('✓ exactly 30 different users got it, each once')
  const [kept] = readdirSync(join(temporary, 'tmp'))
  const audit = auditLog(join(temporary, 'tmp', kept ?? 'nothing'))
  expect(audit.coupons.get('FLASH50')).toMatchObject({ maxUses: 100, uses: 30, maxSeen: 30 })
})

it('that cannot have its server says so, ends with 1 and leaves nothing behind', () => {
  const { status, stderr } = spawnSync(process.execPath, [PRODUCT_ENTRY, 'demo'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', TMPDIR: join(temporary, 'tmp'), TEAROFF_WORKERS: 'many' },
    timeout: 25_000,
  })
  expect(status).toBe(1)
  expect(stderr).toBe(
    'tearoff: the server did not start: exit code 1 (tearoff: TEAROFF_WORKERS=many is not a whole number from 1 to 64)\n',
  )
  expect(existsSync(join(temporary, 'tmp'))).toBe(true)
  expect(readdirSync(join(temporary, 'tmp'))).toEqual([])
})

it('draws a bar over itself on a terminal and plain lines elsewhere', () => {
  const shown = (isTTY: boolean): string[] => {
    const written: string[] = []
    const bar = new ProgressBar({ isTTY, write: (text) => written.push(text) }, 4_000)
    for (const answered of [0, 1_000, 1_100, 4_000]) bar.show({ answered, redeemed: answered / 100 })
    bar.end()
    return written
  }
  expect(shown(false)).toEqual([
    ' 20 %  1,000 of 4,000 answered, 10 redeemed\n',
    '100 %  4,000 of 4,000 answered, 40 redeemed\n',
  ])
  const bars = shown(true)
  expect(bars[1]).toBe(`\r\u001b[2K${'█'.repeat(8)}${'░'.repeat(24)} 1,000 of 4,000 answered, 10 redeemed`)
  expect(bars.at(-1)).toBe('\n')
})
