// A completed lock must name every build once, for its own platform only: an entry without a platform would be
// installed everywhere, and one that replaces a real entry would lose its integrity.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const COMMAND = fileURLToPath(new URL('../../tools/complete-lock.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tearoff-lock-'))
const lockPath = join(folder, 'package-lock.json')

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function complete(packages: Readonly<Record<string, unknown>>, ...flags: readonly string[]) {
  writeFileSync(lockPath, JSON.stringify({ name: 'x', lockfileVersion: 3, packages }))
  const run = spawnSync(process.execPath, [COMMAND, '--root', folder, ...flags], { encoding: 'utf8' })
  const lock = JSON.parse(readFileSync(lockPath, 'utf8')) as { packages: Record<string, unknown> }
  return { status: run.status, out: run.stdout, packages: lock.packages }
}

const HAVE = { version: '1.2.3', integrity: 'sha512-x', optional: true, os: ['linux'], cpu: ['x64'], libc: ['glibc'] }
const PARTIAL = {
  '': { name: 'x' },
  'node_modules/a': {
    version: '1.2.3',
    dev: true,
    optionalDependencies: {
      '@a/b-linux-x64-gnu': '1.2.3',
      '@a/b-linux-arm-musleabihf': '1.2.3',
      '@a/b-darwin-arm64': '1.2.3',
      '@a/b-wasm32-wasi': '1.2.3',
      'nested-win32-x64': '4.5.6',
    },
  },
  'node_modules/@a/b-linux-x64-gnu': HAVE,
  'node_modules/a/node_modules/nested-win32-x64': { version: '4.5.6' },
}

test('missing builds are listed and nothing is written', () => {
  const { status, out, packages } = complete(PARTIAL)
  expect(status).toBe(1)
  expect(out.trim().split('\n')).toEqual([
    '@a/b-linux-arm-musleabihf@1.2.3',
    '@a/b-darwin-arm64@1.2.3',
    '@a/b-wasm32-wasi@1.2.3',
    'lock: 3 builds missing',
  ])
  expect(packages).toEqual(PARTIAL)
})

test('with --write each gets its own platform, what was there stays, and a second run finds nothing', () => {
  const { status, packages } = complete(PARTIAL, '--write')
  const added = { version: '1.2.3', dev: true, optional: true }
  expect(status).toBe(0)
  expect(packages).toEqual({
    ...PARTIAL,
    'node_modules/@a/b-linux-arm-musleabihf': { ...added, os: ['linux'], cpu: ['arm'], libc: ['musl'] },
    'node_modules/@a/b-darwin-arm64': { ...added, os: ['darwin'], cpu: ['arm64'] },
    'node_modules/@a/b-wasm32-wasi': { ...added, cpu: ['wasm32'] },
  })
  expect(complete(packages)).toMatchObject({ status: 0, out: 'lock: 0 builds missing\n' })
})

test.each([
  ['a name that tells no platform', { fsevents: '2.3.3' }],
  ['a range for a version', { '@a/b-darwin-arm64': '^1.2.3' }],
])('%s is refused', (_name, optionalDependencies) => {
  const packages = { 'node_modules/a': { version: '1.2.3', optionalDependencies } }
  expect(complete(packages, '--write')).toMatchObject({ status: 2, packages })
})
