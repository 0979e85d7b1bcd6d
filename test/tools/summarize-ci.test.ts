// The last line of a CI run is what people read, so it must not be able to hide anything: broken files, skipped tests,
// failed steps and empty runs all have to show up in it and in the exit status.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const SUMMARY = fileURLToPath(new URL('../../tools/summarize-ci.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tearoff-summary-'))
const resultsPath = join(folder, 'results.json')

afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface FileResult {
  readonly status: 'passed' | 'failed'
  readonly tests: readonly string[]
}

function summarize(files: readonly FileResult[] | undefined, ...steps: readonly string[]) {
  rmSync(resultsPath, { force: true })
  if (files !== undefined) {
    const testResults = files.map(({ status, tests }, index) => ({
      name: `file-${index}`,
      status,
      assertionResults: tests.map((each) => ({ status: each })),
    }))
    writeFileSync(resultsPath, JSON.stringify({ testResults }))
  }
  const args = [SUMMARY, '--results', resultsPath, ...steps.map((each) => `--step=${each}`)]
  const run = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { status: run.status, last: run.stdout.trimEnd().split('\n').at(-1), out: run.stdout }
}

const GREEN: FileResult = { status: 'passed', tests: ['passed', 'passed'] }

test.each([
  ['all passed', [GREEN, GREEN], ['verify=0', 'test=0'], '4 passed, 0 failed', 0],
  [
    'a failed test counts once, though its step failed too',
    [GREEN, { status: 'failed', tests: ['passed', 'failed'] }],
    ['test=1'],
    '3 passed, 1 failed',
    1,
  ],
  [
    'a file that broke before its first test counts',
    [GREEN, { status: 'failed', tests: [] }],
    ['test=1'],
    '2 passed, 1 failed',
    1,
  ],
  [
    'every broken file counts, not only their step',
    [GREEN, { status: 'failed', tests: [] }, { status: 'failed', tests: [] }],
    ['test=1'],
    '2 passed, 2 failed',
    1,
  ],
  [
    'a file that broke beside its tests counts',
    [{ status: 'failed', tests: ['passed'] }],
    ['test=1'],
    '1 passed, 1 failed',
    1,
  ],
  [
    'a skipped test counts as failed',
    [{ status: 'passed', tests: ['passed', 'skipped', 'todo'] }],
    ['test=0'],
    '1 passed, 2 failed',
    1,
  ],
  [
    'a failed step beside green tests counts',
    [GREEN],
    ['verify=1', 'test=0', 'test:crash=124'],
    '2 passed, 2 failed',
    1,
  ],
  ['a test run that ended badly without a failed test counts', [GREEN], ['test=1'], '2 passed, 1 failed', 1],
  ['a run without tests fails', [], ['test=0'], '0 passed, 1 failed', 1],
] as const)('%s', (_name, files, steps, last, status) => {
  expect(summarize(files, ...steps)).toMatchObject({ last, status })
})

test('results that were never written fail', () => {
  const summary = summarize(undefined, 'test=0')
  expect(summary).toMatchObject({ last: '0 passed, 1 failed', status: 1 })
  expect(summary.out).toContain('the results could not be read')
})
