// Command: node tools/complete-lock.mjs [--root FOLDER] [--write]
//
// A lock file made where a registry does not offer every platform's build of a native package lacks those builds, and
// `npm ci` then refuses it everywhere. This adds each missing optional build with the exact version its parent names
// and the platform its own name tells, so that npm knows it and passes over it where it does not fit. Such an entry has
// no integrity, because nothing was downloaded; a lock made where all builds are offered has no need of this.
//
// Without --write it only lists: exit 0 when the lock is whole, 1 when builds are missing, 2 when a name tells no
// platform, so that nothing is ever made up to be installed everywhere.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Entry
 * @property {string} [version]
 * @property {boolean} [dev]
 * @property {boolean} [optional]
 * @property {Record<string, string>} [optionalDependencies]
 */

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 's390x', 'riscv64', 'wasm32', 'x64']
const EXACT_VERSION = /^\d+\.\d+\.\d+(?:-[\w.-]+)?$/

const { values: options } = parseArgs({ options: { root: { type: 'string' }, write: { type: 'boolean' } } })
const path = join(options.root ?? fileURLToPath(new URL('..', import.meta.url)), 'package-lock.json')
/** @type {{ packages: Record<string, Entry> }} */
const lock = JSON.parse(readFileSync(path, 'utf8'))

let missing = 0
let unknown = 0
for (const [parentPath, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    if (isInstalledFor(parentPath, name)) continue
    const platform = platformOf(name)
    if (platform === undefined || !EXACT_VERSION.test(version)) {
      unknown += 1
      console.error(`${name}@${version}, wanted by ${parentPath}: tells no platform or no exact version`)
      continue
    }
    missing += 1
    console.log(`${name}@${version}`)
    const dev = parent.dev === true ? { dev: true } : {}
    lock.packages[`node_modules/${name}`] = { version, ...dev, optional: true, ...platform }
  }
}
console.log(`lock: ${missing} builds ${options.write === true ? 'added' : 'missing'}`)

if (options.write === true) {
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en'))
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, undefined, 2)}\n`)
}
if (unknown > 0) process.exitCode = 2
else if (missing > 0 && options.write !== true) process.exitCode = 1

/**
 * Looks where npm would: beside the parent, then in every folder above it.
 *
 * @param {string} parentPath
 * @param {string} name
 */
function isInstalledFor(parentPath, name) {
  let folder = parentPath
  while (folder !== '') {
    if (`${folder}/node_modules/${name}` in lock.packages) return true
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
  }
  return `node_modules/${name}` in lock.packages
}

/**
 * `@scope/binding-linux-x64-musl` → linux, x64, musl; a build for WebAssembly is told by its processor alone.
 *
 * @param {string} name
 * @returns {{ os?: string[], cpu: string[], libc?: string[] } | undefined}
 */
function platformOf(name) {
  const words = name.slice(name.lastIndexOf('/') + 1).split('-')
  const os = SYSTEMS.find((each) => words.includes(each))
  const cpu = PROCESSORS.find((each) => words.includes(each))
  if (cpu === undefined || (os === undefined && cpu !== 'wasm32')) return undefined
  const musl = words.some((word) => word.startsWith('musl'))
  const gnu = words.some((word) => word.startsWith('gnu'))
  const libc = os !== 'linux' ? {} : musl ? { libc: ['musl'] } : gnu ? { libc: ['glibc'] } : {}
  return { ...(os === undefined ? {} : { os: [os] }), cpu: [cpu], ...libc }
}
