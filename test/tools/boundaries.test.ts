// The boundary check is trusted by everything else, so it is itself checked: every kind of crossing is planted in a
// small tree of its own and must be named with file and line; what is allowed must stay silent; a run that read
// nothing must fail. The check runs as a process, as in `npm run verify`, so its exit status is tested too.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'

const CHECK = fileURLToPath(new URL('../../tools/check-boundaries.mjs', import.meta.url))
const CLEAN = { 'engine/domain/money.ts': 'export const scale = 100\n' } as const

interface Verdict {
  readonly status: number | null
  readonly found: readonly string[]
  readonly productFiles: number
  readonly filesByArea: Readonly<Record<string, number>>
}

interface RawReport {
  readonly violations: readonly { path: string; line: number; rule: string; detail: string }[]
  readonly productFiles: number
  readonly filesByArea: Readonly<Record<string, number>>
}

const planted: string[] = []

afterEach(() => {
  for (const folder of planted.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function plant(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'tearoff-boundaries-'))
  planted.push(root)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

function check(root?: string): Verdict {
  const run = spawnSync(process.execPath, [CHECK, '--json', ...(root === undefined ? [] : ['--root', root])], {
    encoding: 'utf8',
  })
  const report = JSON.parse(run.stdout) as RawReport
  const found = report.violations.map(({ path, line, rule, detail }) => `${path}:${line} [${rule}] ${detail}`)
  return { status: run.status, found, productFiles: report.productFiles, filesByArea: report.filesByArea }
}

function checkPlanted(files: Readonly<Record<string, string>>): Verdict {
  return check(plant(files))
}

describe('arrows between areas', () => {
  const FORBIDDEN = [
    ['engine/domain/a.ts', '../shard/x.ts', 'ring'],
    ['engine/domain/a.ts', '../../cli/x.ts', 'ring'],
    ['protocol/a.ts', '../persistence/x.ts', 'ring'],
    ['protocol/a.ts', '../gateway/x.ts', 'ring'],
    ['persistence/a.ts', '../cli/x.ts', 'ring'],
    ['gateway/a.ts', '../readmodel/x.ts', 'ring'],
    ['engine/routing.ts', '../lifecycle/x.ts', 'ring'],
    ['engine/supervisor/a.ts', '../../console/x.ts', 'ring'],
    ['engine/clock.ts', '../examples/x.ts', 'ring'],
    ['engine/transport/a.ts', '../../bench/x.ts', 'ring'],
    ['cli/a.ts', '../test/support/x.ts', 'ring'],
    ['gateway/a.ts', '../test/support/x.ts', 'ring'],
    ['cli/a.ts', '../tools/x.mjs', 'ring'],
    ['tools/a.mjs', '../engine/domain/x.ts', 'ring'],
    ['gateway/a.ts', '../persistence/x.ts', 'apart'],
    ['gateway/a.ts', '../engine/shard/x.ts', 'apart'],
    ['persistence/a.ts', '../gateway/x.ts', 'apart'],
    ['persistence/a.ts', '../engine/shard/x.ts', 'apart'],
    ['engine/shard/a.ts', '../../gateway/x.ts', 'apart'],
    ['client/a.ts', '../engine/domain/x.ts', 'client'],
    ['client/a.ts', '../gateway/x.ts', 'client'],
    ['client/a.ts', '../cli/x.ts', 'client'],
    ['gateway/a.ts', '../dist/persistence/x.js', 'apart'],
    ['gateway/a.ts', '../somewhere/x.ts', 'place'],
    ['engine/domain/a.ts', '../../package.json', 'place'],
  ] as const

  test.each(FORBIDDEN)('%s importing %s is reported as %s', (path, specifier, rule) => {
    const verdict = checkPlanted({
      ...CLEAN,
      [path]: `// a line before it\nimport { x } from '${specifier}'\nuse(x)\n`,
    })
    expect(verdict.found).toHaveLength(1)
    expect(verdict.found[0]).toMatch(new RegExp(`^${path.replaceAll('.', '\\.')}:2 \\[${rule}\\] `))
    expect(verdict.status).toBe(1)
  })

  const WAYS = [
    ["import '../persistence/x.ts'", 1],
    ["import * as all from '../persistence/x.ts'", 1],
    ["import type { X } from '../persistence/x.ts'", 1],
    ["import { type X } from '../persistence/x.ts'", 1],
    ["import {\n  x,\n  y,\n} from '../persistence/x.ts'", 1],
    ["import { x } /* of */ from /* the */ '../persistence/x.ts'", 1],
    ["export { x } from '../persistence/x.ts'", 1],
    ["export * from '../persistence/x.ts'", 1],
    ["export * as all from '../persistence/x.ts'", 1],
    ["export type { X } from '../persistence/x.ts'", 1],
    ["const late = await import('../persistence/x.ts')", 1],
    ["type X = import('../persistence/x.ts').X", 1],
    ["import old = require('../persistence/x.ts')", 1],
    ["const old = require('../persistence/x.ts')", 1],
    ["const a = 1; import { x } from '../persistence/x.ts'; export * from '../persistence/y.ts'", 2],
  ] as const

  test.each(WAYS)('sees the import in: %s', (text, count) => {
    const verdict = checkPlanted({ ...CLEAN, 'gateway/a.ts': `${text}\n` })
    expect(verdict.found).toHaveLength(count)
    for (const found of verdict.found) expect(found).toContain('gateway/a.ts:1 [apart]')
  })

  test('text that only looks like an import is not one', () => {
    const verdict = checkPlanted({
      'gateway/a.ts': [
        "// import { x } from '../persistence/x.ts'",
        "/* export * from '../persistence/x.ts' */",
        'const text = "import { x } from \'../persistence/x.ts\'"',
        "const template = `import('../persistence/x.ts')`",
        'export const both = [text, template]',
        '',
      ].join('\n'),
    })
    expect(verdict).toMatchObject({ status: 0, found: [] })
  })

  test('an import whose target is only known at run time is reported', () => {
    const verdict = checkPlanted({ ...CLEAN, 'gateway/a.ts': 'export const load = (path: string) => import(path)\n' })
    expect(verdict.found).toEqual(['gateway/a.ts:1 [unreadable] imports what is only known at run time'])
  })

  test('inward imports, neighbours and packages pass; tests and benches import anything', () => {
    const verdict = checkPlanted({
      'protocol/codes.ts': 'export const codes = 1\n',
      'engine/domain/decide.ts': "import { codes } from '../../protocol/codes.ts'\nexport const decide = codes\n",
      'engine/shard/actor.ts':
        "import '../domain/decide.ts'\nimport '../../persistence/journal.ts'\nimport 'node:fs'\n",
      'persistence/journal.ts': "import '../engine/domain/decide.ts'\nimport { open } from 'lmdb'\nopen()\n",
      'gateway/server.ts': "import '../engine/transport/port.ts'\nimport '../engine/routing.ts'\n",
      'engine/transport/port.ts': 'export const port = 1\n',
      'engine/routing.ts': "import '../protocol/codes.ts'\n",
      'client/index.ts': "import '../protocol/codes.ts'\nimport './call.ts'\n",
      'client/call.ts': 'export const call = fetch\n',
      'cli/main.ts': "import '../gateway/server.ts'\nimport '../engine/shard/actor.ts'\nimport '../package.json'\n",
      'bench/load.ts': "import '../test/support/server.ts'\nimport '../engine/shard/actor.ts'\nawait import(name)\n",
      'test/support/server.ts': "import '../../gateway/server.ts'\nimport '../../tools/x.mjs'\n",
      'tools/x.mjs': "import './y.mjs'\nimport 'node:fs'\n",
      'tools/y.mjs': 'export const y = 1\n',
      'vitest.config.ts': "import 'vitest/config'\n",
    })
    expect(verdict).toMatchObject({ status: 0, found: [], productFiles: 11 })
  })
})

describe('the independent audit', () => {
  test.each(['bench/audit.ts', 'cli/demo/audit-log.ts', 'cli/demo/log-audit.ts', 'cli/audit/counts.ts'])(
    '%s must not import the engine, not even its types',
    (path) => {
      const up = '../'.repeat(path.split('/').length - 1)
      const verdict = checkPlanted({ ...CLEAN, [path]: `import type { Money } from '${up}engine/domain/money.ts'\n` })
      expect(verdict.found).toEqual([`${path}:1 [audit] independent audit code must not import engine/domain/money.ts`])
    },
  )

  test('must not reach the engine over a neighbour either', () => {
    const verdict = checkPlanted({
      ...CLEAN,
      'cli/audit.ts': "import { total } from './total.ts'\nexport const audit = total\n",
      'cli/total.ts': "import { scale } from '../engine/domain/money.ts'\nexport const total = scale\n",
    })
    expect(verdict.found).toEqual([
      'cli/audit.ts:1 [audit] reaches the engine: cli/audit.ts → cli/total.ts → engine/domain/money.ts',
    ])
  })

  test('may use the protocol, and a neighbour that takes only types from the engine; others may use the engine', () => {
    const verdict = checkPlanted({
      ...CLEAN,
      'protocol/event.ts': 'export const event = 1\n',
      'cli/audit.ts': "import '../protocol/event.ts'\nimport './shape.ts'\n",
      'cli/shape.ts': "import type { Money } from '../engine/domain/money.ts'\nexport type Shape = Money\n",
      'cli/demo.ts': "import '../engine/domain/money.ts'\nimport './audit.ts'\n",
      'test/cli/audit.test.ts': "import '../../engine/domain/money.ts'\n",
    })
    expect(verdict).toMatchObject({ status: 0, found: [] })
  })
})

describe('pure code', () => {
  const IMPURE = [
    ['const now = Date.now()', 'Date'],
    ['const at = new Date(0)', 'Date'],
    ['function f(at: Date) {}', 'Date'],
    ['const { now } = Date', 'Date'],
    ['const nowMs = performance.now()', 'performance'],
    ['const one = Math.random()', 'Math.random'],
    ["const one = Math['random']()", 'Math.random'],
    ['const one = Math[name]()', 'Math[…]'],
    ['const { random } = Math', 'Math as a value'],
    ['const env = process.env', 'process'],
    ['setTimeout(f, 1)', 'setTimeout'],
    ['setInterval(f, 1)', 'setInterval'],
    ['setImmediate(f)', 'setImmediate'],
    ['queueMicrotask(f)', 'queueMicrotask'],
    ['const p = Promise.resolve(1)', 'Promise'],
    ['type P = Promise<number>', 'Promise'],
    ['type P = PromiseLike<number>', 'PromiseLike'],
    ['async function f() {}', 'async'],
    ['const f = async () => 1', 'async'],
    ['class A { async f() {} }', 'async'],
    ['await x', 'await'],
    ['for await (const x of xs) {}', 'for await'],
    ['const bytes = crypto.getRandomValues(a)', 'crypto'],
    ['const bytes = Buffer.alloc(1)', 'Buffer'],
    ['function f(bytes: Buffer) {}', 'Buffer'],
    ["console.log('x')", 'console'],
    ['const D = globalThis.Date', 'globalThis'],
    ["eval('1')", 'eval'],
    ["new Function('return 1')", 'Function()'],
    ['const all = { process }', 'process'],
    ['const one = { [crypto]: 1 }', 'crypto'],
    ['const one = table[process]', 'process'],
    ["const m = import('./b.ts')", 'import()'],
  ] as const

  for (const path of ['protocol/a.ts', 'engine/domain/deep/a.ts']) {
    test(`in ${path} every clock, timer, source of chance, promise and platform name is reported`, () => {
      const text = IMPURE.map(([line]) => line).join('\n')
      const verdict = checkPlanted({ [path]: text })
      const expected = IMPURE.map(([, what], index) => `${path}:${index + 1} [impure] ${what}: `)
      expect(verdict.found).toHaveLength(expected.length)
      verdict.found.forEach((found, index) => expect(found.startsWith(expected[index] ?? '?'), found).toBe(true))
      expect(verdict.status).toBe(1)
    })
  }

  test.each([
    ["import { readFileSync } from 'node:fs'", 'the platform: node:fs'],
    ["import { readFileSync } from 'fs'", 'the platform: fs'],
    ["import type { Buffer as Bytes } from 'node:buffer'", 'the platform: node:buffer'],
    ["import { pack } from 'msgpackr'", 'a package: msgpackr'],
    ["export * from '@scope/name/deep'", 'a package: @scope/name/deep'],
  ])('%s is reported', (text, what) => {
    const verdict = checkPlanted({ 'protocol/a.ts': text })
    expect(verdict.found[0]).toBe(`protocol/a.ts:1 [impure-import] pure code must not import ${what}`)
  })

  test('names of members, words in comments and strings, arithmetic and plain bytes pass', () => {
    const verdict = checkPlanted({
      'engine/domain/a.ts': [
        '// Date, Promise, await process.exit()',
        "const text = 'new Date() and Math.random()'",
        'interface Event { readonly Date: number; process(): void; await: boolean }',
        'const made = { Date: 1, process: 2, crypto: 3 }',
        'const read = (event: Event, view: DataView) => event.Date + made.process + view.getUint8(0)',
        'const most = Math.max(1, Math.trunc(2.5), Math.PI)',
        'const bytes = new Uint8Array(new TextEncoder().encode(text))',
        "const quoted = Math['floor'](1.5)",
        'function apply(f: Function) { return f }',
        'export { read, most, bytes, quoted, apply }',
        '',
      ].join('\n'),
    })
    expect(verdict).toMatchObject({ status: 0, found: [] })
  })

  test('the same names are nobody’s business in the shell', () => {
    const verdict = checkPlanted({ 'engine/shard/a.ts': IMPURE.map(([line]) => line).join('\n') })
    expect(verdict).toMatchObject({ status: 0, found: [] })
  })
})

describe('what could slip past', () => {
  test('a source file that lies in no ring is reported', () => {
    const verdict = checkPlanted({ ...CLEAN, 'engine/limits.ts': 'export const most = 1\n', 'stray/a.mjs': '' })
    expect(verdict.found.map((found) => found.split(';')[0])).toEqual([
      'engine/limits.ts:1 [place] lies in no ring',
      'stray/a.mjs:1 [place] lies in no ring',
    ])
  })

  test('a file that cannot be parsed is reported, not passed over', () => {
    const verdict = checkPlanted({ ...CLEAN, 'gateway/a.ts': "import { from '../persistence/x.ts'\n" })
    expect(verdict.found.some((found) => found.startsWith('gateway/a.ts:1 [parse]'))).toBe(true)
    expect(verdict.status).toBe(1)
  })

  test('a tree without a source file of the product fails', () => {
    expect(checkPlanted({ 'README.md': '# nothing\n' })).toMatchObject({ status: 2, productFiles: 0 })
    expect(checkPlanted({ 'test/a.test.ts': '', 'tools/a.mjs': '', 'dist/cli/main.js': '' })).toMatchObject({
      status: 2,
      productFiles: 0,
    })
  })

  test('a folder that is not there fails', () => {
    const run = spawnSync(process.execPath, [CHECK, '--root', join(plant({}), 'missing')], { encoding: 'utf8' })
    expect(run.status).not.toBe(0)
  })
})

test('the real tree keeps its boundaries, and both pure areas were read', () => {
  const verdict = check()
  expect(verdict.found).toEqual([])
  expect(verdict.filesByArea['protocol']).toBeGreaterThan(0)
  expect(verdict.filesByArea['engine/domain']).toBeGreaterThan(0)
  expect(verdict.status).toBe(0)
})

test('the plain output of the command names the crossing on a line of its own', () => {
  const root = plant({ ...CLEAN, 'gateway/a.ts': "import '../persistence/x.ts'\n" })
  const run = spawnSync(process.execPath, [CHECK, '--root', root], { encoding: 'utf8' })
  expect(run.stdout.split('\n').slice(0, 2)).toEqual([
    'gateway/a.ts:1 [apart] gateway must not import persistence; they meet at a port',
    'boundaries: 2 files (2 of the product), 1 imports, 1 crossings',
  ])
  expect(run.status).toBe(1)
})
