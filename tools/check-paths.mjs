// Command: node tools/check-paths.mjs [--root FOLDER]
//
// Looks through every file that git tracks or would track for traces of the machine it was written on: absolute paths of
// build folders, hosts of package registries, the configured registry itself, and download addresses in the lock file.
// Each of these works in one place only and breaks, or leaks, in every other.
// Exit 0: clean; 1: traces, one a line; 2: no file was read.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'

// Put together from parts, so that this file is not its own first finding.
const PLACES = ['work', 'root', 'tmp', 'home'].join('|')

/** @type {{ what: string, pattern: RegExp, only?: RegExp }[]} */
const TRACES = [
  { what: 'a path of one machine', pattern: new RegExp(`(?<![\\w.~$})/-])/(?:${PLACES})/[\\w.-]`) },
  { what: 'a package registry', pattern: /\bregistry\.(?:[a-z0-9-]+\.)+[a-z]{2,}/i },
  { what: 'a registry setting', pattern: /^\s*(?:@[\w-]+:)?registry\s*=/, only: /(?:^|\/)\.npmrc$/ },
  { what: 'a download address', pattern: /"resolved": "https?:/, only: /(?:^|\/)package-lock\.json$/ },
]
const configured = configuredRegistryHost()
if (configured !== undefined) TRACES.push({ what: 'the configured registry', pattern: literally(configured) })

const { values: options } = parseArgs({ options: { root: { type: 'string' } } })
const root = options.root ?? fileURLToPath(new URL('..', import.meta.url))

let files = 0
let traces = 0
for (const path of listedPaths(root)) {
  const text = readText(join(root, path))
  if (text === undefined) continue
  files += 1
  text.split('\n').forEach((line, index) => {
    for (const { what, pattern, only } of TRACES) {
      if (only?.test(path) === false || !pattern.test(line)) continue
      traces += 1
      console.log(`${path}:${index + 1} ${what}`)
    }
  })
}
console.log(`paths: ${files} files, ${traces} traces`)
if (files === 0) console.error('paths: read no file, so nothing is proven')
process.exitCode = files === 0 ? 2 : Math.min(traces, 1)

/**
 * Tracked files and new ones that are not ignored. A clone may belong to another user than the one who checks it.
 *
 * @param {string} folder
 */
function listedPaths(folder) {
  const options = ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const listing = execFileSync('git', options, { cwd: folder, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  return listing.split('\0').filter((path) => path !== '')
}

/**
 * @param {string} path
 * @returns {string | undefined} undefined for binary files and for files that are listed but gone
 */
function readText(path) {
  try {
    const text = readFileSync(path, 'utf8')
    return text.includes('\0') ? undefined : text
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * npm tells its scripts which registry it uses; only its host is compared, and never printed. A host of one word, or the
 * loopback address without a port, is found in any honest text and says nothing.
 */
function configuredRegistryHost() {
  const address = process.env['npm_config_registry']
  if (address === undefined || !URL.canParse(address)) return undefined
  const { host, hostname, port } = new URL(address)
  const telling = port !== '' || (hostname.includes('.') && !hostname.startsWith('127.'))
  return telling ? host : undefined
}

/** @param {string} text */
function literally(text) {
  return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
}
