// The planted faults themselves: each still has its place and its tests, and the hunt tells what it has to. All of them are
// hunted by `npm run test:mutants`; a few are here, so that the way from fault to finding never breaks unseen.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PROJECT_ROOT } from '../support/project.ts'
import { ALL_FAULTS } from './faults/all-faults.ts'
import { huntOne, passUnmutated } from './hunt.ts'
import { type Mutant, planted } from './mutant.ts'
import { TreeCopy } from './tree-copy.ts'

const FAULTS_MIN = 60
const SEED = 1
const AREAS = [
  'engine/domain',
  'engine/shard',
  'engine/shard/tables',
  'engine/transport',
  'persistence',
  'gateway/access',
  'gateway/guard',
  'gateway/idempotency',
]

const SAMPLE: Mutant = {
  id: 'sample',
  file: 'gateway/codes/codes-csv.ts',
  from: 'FORMULA.test(text)',
  to: '!FORMULA.test(text)',
  breaks: 'no cell of an export is a formula',
  tests: ['test/gateway/codes-csv.test.ts'],
}

describe('every planted fault', () => {
  test.each(ALL_FAULTS.map((mutant) => [mutant.id, mutant] as const))('%s has its place', (_, mutant) => {
    const text = planted(readFileSync(join(PROJECT_ROOT, mutant.file), 'utf8'), mutant)
    expect(parseSync(mutant.file, text).errors).toEqual([])
    expect(mutant.tests.filter((file) => !existsSync(join(PROJECT_ROOT, file)))).toEqual([])
    expect(mutant.tests.length).toBeGreaterThan(0)
  })

  test('has a name of its own, and they are spread over what keeps promises', () => {
    const ids = ALL_FAULTS.map(({ id }) => id)
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([])
    expect(ids.length).toBeGreaterThanOrEqual(FAULTS_MIN)
    const folders = new Set(ALL_FAULTS.map(({ file }) => file.slice(0, file.lastIndexOf('/'))))
    expect(AREAS.filter((area) => !folders.has(area))).toEqual([])
  })
})

describe('a fault', () => {
  test.each<[string, Partial<Mutant>, string]>([
    ['whose text is gone', { from: 'FORMULA.test(word)' }, 'is not in gateway/codes/codes-csv.ts any more'],
    ['whose text stands twice', { from: 'formulas: Formulas' }, 'more than once'],
    ['that changes nothing', { to: SAMPLE.from }, 'changes nothing'],
  ])('%s is an error', (_, change, message) => {
    const mutant = { ...SAMPLE, ...change }
    expect(() => planted(readFileSync(join(PROJECT_ROOT, mutant.file), 'utf8'), mutant)).toThrow(message)
  })
})

describe('the hunt', () => {
  let copy: TreeCopy

  beforeAll(() => {
    copy = new TreeCopy()
  })

  afterAll(() => copy.remove())

  test('finds a planted fault, names the test, and leaves no trace of it', async () => {
    const before = copy.read(SAMPLE.file)
    const { caughtBy, how } = await huntOne(copy, SAMPLE, SEED)
    expect(caughtBy).toBe(SAMPLE.tests[0])
    expect(how).not.toBe('')
    expect(copy.read(SAMPLE.file)).toBe(before)
    expect(await passUnmutated(copy, [SAMPLE], SEED)).toBeGreaterThan(0)
  })

  test('tells of a fault that no test notices', async () => {
    const unnoticed = {
      ...SAMPLE,
      from: 'const NEEDS_QUOTES = /[",\\r\\n]/',
      to: 'const NEEDS_QUOTES = /[",\\r\\n\\v]/',
    }
    expect(await huntOne(copy, unnoticed, SEED)).toMatchObject({ caughtBy: null })
  })

  test('takes a process that breaks beside its tests for one that noticed', async () => {
    const from = 'export const CSV_HEADER'
    const breaking = { ...SAMPLE, from, to: `setImmediate(() => {\n  throw new Error('planted')\n})\n${from}` }
    const { caughtBy, how } = await huntOne(copy, breaking, SEED)
    expect([caughtBy, how]).toEqual([SAMPLE.tests[0], 'a process that broke'])
  })

  test('takes neither a file that does not load nor one without tests for a test that noticed', async () => {
    const unloaded = { ...SAMPLE, from: 'export const CSV_HEADER', to: 'const CSV_HEADER = ""\nimport "./nowhere.ts"' }
    await expect(huntOne(copy, unloaded, SEED)).rejects.toThrow('does not compile')
    const unread = { ...SAMPLE, to: 'nobody.test(text)', tests: ['test/engine/clock.test.ts'] }
    expect(await huntOne(copy, unread, SEED)).toMatchObject({ caughtBy: null })
    await expect(passUnmutated(copy, [{ ...SAMPLE, tests: ['test/mutants/none.test.ts'] }], SEED)).rejects.toThrow(
      'without any fault',
    )
  })

  test.each(['half-rounds-down', 'reply-before-the-flush'])('%s is caught', async (id) => {
    const mutant = ALL_FAULTS.find((each) => each.id === id) as Mutant
    expect((await huntOne(copy, mutant, SEED)).caughtBy).not.toBeNull()
  })
})
