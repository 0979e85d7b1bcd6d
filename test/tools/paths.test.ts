// Plants each kind of trace in a small repository and expects it to be named; the honest neighbours of each must pass.
// The texts are put together from parts, so that this file does not hold what the check forbids.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const CHECK = fileURLToPath(new URL('../../tools/check-paths.mjs', import.meta.url))
const planted: string[] = []

afterEach(() => {
  for (const folder of planted.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function plant(files: Readonly<Record<string, string | Uint8Array>>): string {
  const root = mkdtempSync(join(tmpdir(), 'tearoff-paths-'))
  planted.push(root)
  execFileSync('git', ['init', '--quiet'], { cwd: root })
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

function check(root: string, registry = 'https://packages.example.test/npm/'): { status: number | null; out: string } {
  const env = { ...process.env, npm_config_registry: registry }
  const run = spawnSync(process.execPath, [CHECK, '--root', root], { encoding: 'utf8', env })
  return { status: run.status, out: run.stdout }
}

const inFolder = (...parts: readonly string[]): string => `/${parts.join('/')}`

test.each([
  ['docs/a.md', `see ${inFolder('work', 'main')} there`, 'a path of one machine'],
  ['docs/a.md', `open '${inFolder('tmp', 'x.log')}'`, 'a path of one machine'],
  ['a.ts', `const home = "${inFolder('root', '.npmrc')}"`, 'a path of one machine'],
  ['a.json', `{"at":"${inFolder('home', 'someone', 'x')}"}`, 'a path of one machine'],
  ['.npmrc', ['registry', 'https://elsewhere.test/'].join('='), 'a registry setting'],
  ['README.md', ['from registry', 'example', 'org'].join('.'), 'a package registry'],
  ['README.md', ['from https://packages', 'example', 'test/npm/'].join('.'), 'the configured registry'],
  ['package-lock.json', '"resolved": "https://elsewhere.test/a.tgz"', 'a download address'],
])('in %s: %s is found as %s', (path, line, what) => {
  const { status, out } = check(plant({ [path]: `first\n${line}\n`, 'clean.txt': 'clean\n' }))
  expect(out).toBe(`${path}:2 ${what}\npaths: 2 files, 1 traces\n`)
  expect(status).toBe(1)
})

test('addresses, relative folders, routes, ignored files and binary files pass', () => {
  const root = plant({
    '.gitignore': 'ignored/\n',
    'ignored/a.txt': inFolder('work', 'main'),
    'binary.bin': new Uint8Array([0, ...new TextEncoder().encode(inFolder('work', 'main'))]),
    'a.md': 'https://example.test/work/it ./tmp/x ../home/x docs/root/x $TMPDIR/tmp/x tmpdir() /v1/coupons\n',
    'package-lock.json': '"integrity": "sha512-x"\n',
    'docs/npm.md': `"resolved": "https://elsewhere.test/a.tgz"\n${['registry', 'https://elsewhere.test/'].join('=')}\n`,
  })
  expect(check(root, 'http://localhost/')).toEqual({ status: 0, out: 'paths: 4 files, 0 traces\n' })
})

test('a repository without files fails, and so does a folder that is none', () => {
  expect(check(plant({})).status).toBe(2)
  const folder = mkdtempSync(join(tmpdir(), 'tearoff-paths-'))
  planted.push(folder)
  expect(check(folder).status).not.toBe(0)
})
