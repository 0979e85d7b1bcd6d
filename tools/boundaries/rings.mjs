// The map of the rings: which folder lies where, and who may import whom.
//
//     pure  ◀── shell ◀── edge ◀── test, tools        an arrow is "imports"; it points inward only
//
// A table, because a new folder has to be placed on purpose: a source file that no row claims is reported, so that
// nothing slips past the rules by being new. This file decides from paths alone and never touches the disk.

/** @typedef {'pure' | 'shell' | 'edge' | 'outside'} Ring */
/** @typedef {{ name: string, ring: Ring, prefixes: readonly string[], free?: boolean }} Area */

/** Outer rings have higher ranks. */
const RANK = /** @type {const} */ ({ pure: 0, shell: 1, edge: 2, outside: 3 })

/**
 * A prefix that ends in a slash claims a folder; one without claims every path that begins so
 * (`engine/clock.ts`, `engine/clock/wall.ts`, `engine/clock-slew.ts`). A free area may import anything.
 *
 * @type {readonly Area[]}
 */
const AREAS = [
  { name: 'protocol', ring: 'pure', prefixes: ['protocol/'] },
  { name: 'engine/domain', ring: 'pure', prefixes: ['engine/domain/'] },
  { name: 'engine/shard', ring: 'shell', prefixes: ['engine/shard/'] },
  { name: 'engine/transport', ring: 'shell', prefixes: ['engine/transport/'] },
  { name: 'engine/replica', ring: 'shell', prefixes: ['engine/replica/'] },
  { name: 'engine/routing', ring: 'shell', prefixes: ['engine/routing'] },
  { name: 'engine/supervisor', ring: 'shell', prefixes: ['engine/supervisor', 'engine/worker-entry'] },
  { name: 'engine/clock', ring: 'shell', prefixes: ['engine/clock'] },
  { name: 'engine/surroundings', ring: 'shell', prefixes: ['engine/surroundings'] },
  { name: 'engine/idle-priority', ring: 'shell', prefixes: ['engine/idle-priority'] },
  { name: 'engine/thread', ring: 'shell', prefixes: ['engine/thread-'] },
  { name: 'persistence', ring: 'shell', prefixes: ['persistence/'] },
  { name: 'gateway', ring: 'shell', prefixes: ['gateway/'] },
  { name: 'cli', ring: 'edge', prefixes: ['cli/'] },
  { name: 'bench', ring: 'edge', prefixes: ['bench/'], free: true },
  { name: 'examples', ring: 'edge', prefixes: ['examples/'] },
  { name: 'console', ring: 'edge', prefixes: ['console/'] },
  { name: 'client', ring: 'edge', prefixes: ['client/'] },
  { name: 'readmodel', ring: 'edge', prefixes: ['readmodel/'] },
  { name: 'lifecycle', ring: 'edge', prefixes: ['lifecycle/'] },
  { name: 'imports', ring: 'edge', prefixes: ['imports/'] },
  { name: 'test', ring: 'outside', prefixes: ['test/'], free: true },
  { name: 'tools', ring: 'outside', prefixes: ['tools/'] },
]

/** Neighbours in the shell that meet only at ports, so that either side can be replaced alone. */
const KEPT_APART = /** @type {const} */ ({
  gateway: ['persistence', 'engine/shard'],
  persistence: ['gateway', 'engine/shard'],
  'engine/shard': ['gateway'],
})

/** What the client may import beside itself: it is handed to people who have no engine. */
const CLIENT_MAY_IMPORT = ['client', 'protocol']

const ROOT_CONFIG = /^[^/]+\.config\.[cm]?[jt]s$/

/**
 * The area of a path relative to the root, with forward slashes; undefined when no row claims it.
 *
 * @param {string} path
 * @returns {Area | undefined}
 */
export function areaOf(path) {
  if (ROOT_CONFIG.test(path)) return { name: path, ring: 'outside', prefixes: [path], free: true }
  return AREAS.find((area) => area.prefixes.some((prefix) => path.startsWith(prefix)))
}

/**
 * The audit proves the engine right by other means, so it may not borrow the engine's code.
 *
 * @param {string} path
 */
export function isIndependentAudit(path) {
  return /^(?:bench|cli)\/(?:.*\/)?[^/]*audit[^/]*(?:\/|$)/i.test(path)
}

/** @param {string} path */
export function isEngine(path) {
  return path.startsWith('engine/')
}

/**
 * Why a file of one area must not import a file of another; undefined when it may.
 *
 * @param {Area} from
 * @param {Area} to
 * @returns {{ rule: string, detail: string } | undefined}
 */
export function forbiddenArrow(from, to) {
  if (from.free === true || from.name === to.name) return undefined
  if (from.name === 'tools') return { rule: 'ring', detail: `tools stand alone and must not import ${to.name}` }
  if (RANK[from.ring] < RANK[to.ring]) {
    return { rule: 'ring', detail: `${from.name} (${from.ring}) must not import ${to.name} (${to.ring})` }
  }
  if (from.name === 'client' && !CLIENT_MAY_IMPORT.includes(to.name)) {
    return { rule: 'client', detail: `client must not import ${to.name}, only protocol` }
  }
  const apart = /** @type {Record<string, readonly string[]>} */ (KEPT_APART)[from.name]
  if (apart?.includes(to.name) === true) {
    return { rule: 'apart', detail: `${from.name} must not import ${to.name}; they meet at a port` }
  }
  return undefined
}
