// Where things lie: the package root, built entries of child processes, files that are not compiled, results.
//
// The bench runs from `dist/bench` as `npm run bench` and from `bench` inside the tests, which do not compile the
// entries of child processes. So paths are never relative to a module: everything starts at the package root, and
// child processes always run what was built.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROJECT_ROOT = findRoot(dirname(fileURLToPath(import.meta.url)))

/** The built product, as `npm start` runs it. */
export const PRODUCT_ENTRY = join(PROJECT_ROOT, 'dist/cli/main.js')

/** What `npm start` sets in the environment of the product, in front of its command. */
export function startEnvironment(): Record<string, string> {
  const { scripts } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>
  }
  const words = scripts['start']?.split(' ') ?? []
  const settings = words.slice(0, words.indexOf('node')).map((word) => word.split('=', 2))
  return Object.fromEntries(settings as [string, string][])
}

export const RESULTS_DIR = join(PROJECT_ROOT, 'bench/results')

/** The script that makes requests inside wrk. */
export const WRK_SCRIPT = join(PROJECT_ROOT, 'bench/load/checkout.lua')

/** Entries of the bench's own child processes. */
export const ENTRIES = {
  openLoop: join(PROJECT_ROOT, 'dist/bench/load/open-loop-main.js'),
  createCoupons: join(PROJECT_ROOT, 'dist/bench/load/create-coupons-main.js'),
  searchLoop: join(PROJECT_ROOT, 'dist/bench/load/search-loop-main.js'),
  claims: join(PROJECT_ROOT, 'dist/bench/load/claims-main.js'),
  columns: join(PROJECT_ROOT, 'dist/bench/load/columns-main.js'),
  autocannon: join(PROJECT_ROOT, 'dist/bench/load/autocannon-main.js'),
  peerGateway: join(PROJECT_ROOT, 'dist/bench/peers/peer-gateway-main.js'),
  readModelOff: join(PROJECT_ROOT, 'dist/bench/server/read-model-off-main.js'),
  soakAudit: join(PROJECT_ROOT, 'dist/bench/soak/soak-audit-main.js'),
  soakLeak: join(PROJECT_ROOT, 'dist/bench/soak/leak-main.js'),
  eightGigabytes: join(PROJECT_ROOT, 'dist/bench/server/eight-gigabytes-main.js'),
  bareServer: join(PROJECT_ROOT, 'dist/bench/server/bare-server-main.js'),
} as const

function findRoot(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (dirname(folder) === folder) throw new Error(`no package.json above ${start}`)
  }
}
