// Holds a whole source tree against the map of the rings and lists every crossing.
//
// Two passes: read all files, then judge each import by the places of both ends. The audit is judged by what it
// reaches, not only by what it names: a step over a harmless neighbour would bring the engine's own arithmetic into
// the proof that is meant to check it. Type-only imports count as arrows, but carry no code and so end such a chain.

import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix } from 'node:path'
import { areaOf, forbiddenArrow, isEngine, isIndependentAudit } from './rings.mjs'
import { readSource } from './read-source.mjs'

/** @typedef {import('./read-source.mjs').SourceFacts} SourceFacts */
/** @typedef {import('./read-source.mjs').Import} Import */
/** @typedef {{ path: string, line: number, rule: string, detail: string }} Violation */
/**
 * `productFiles` leaves out tests, tools and settings: a check that read only those has proven nothing.
 *
 * @typedef {object} Report
 * @property {Violation[]} violations
 * @property {Record<string, number>} filesByArea
 * @property {number} files
 * @property {number} productFiles
 * @property {number} imports
 */

const SOURCE = /\.[cm]?[jt]sx?$/
const NOT_OURS = new Set(['node_modules', 'dist', 'data'])

/**
 * @param {string} root
 * @returns {Report}
 */
export function checkTree(root) {
  /** @type {Map<string, SourceFacts>} */
  const tree = new Map()
  for (const path of sourcePaths(root, '')) tree.set(path, readSource(path, readFileSync(join(root, path), 'utf8')))

  /** @type {Report} */
  const report = { violations: [], filesByArea: {}, files: tree.size, productFiles: 0, imports: 0 }
  for (const [path, facts] of tree) {
    const area = areaOf(path)
    const name = area?.name ?? 'none'
    report.filesByArea[name] = (report.filesByArea[name] ?? 0) + 1
    if (area?.ring !== 'outside') report.productFiles += 1
    report.imports += facts.imports.length
    for (const violation of judgeFile(path, facts, tree)) report.violations.push({ path, ...violation })
  }
  return report
}

/**
 * @param {string} root
 * @param {string} folder relative to the root, empty for the root itself
 * @returns {string[]} paths relative to the root, with forward slashes, sorted
 */
function sourcePaths(root, folder) {
  const paths = []
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = posix.join(folder, entry.name)
    if (entry.name.startsWith('.') || (folder === '' && NOT_OURS.has(entry.name))) continue
    if (entry.isDirectory()) paths.push(...sourcePaths(root, path))
    else if (SOURCE.test(entry.name)) paths.push(path)
  }
  return paths.sort()
}

/**
 * @param {string} path
 * @param {SourceFacts} facts
 * @param {ReadonlyMap<string, SourceFacts>} tree
 * @returns {Omit<Violation, 'path'>[]}
 */
function judgeFile(path, facts, tree) {
  const area = areaOf(path)
  if (area === undefined)
    return [{ line: 1, rule: 'place', detail: 'lies in no ring; give it a row in tools/boundaries/rings.mjs' }]
  const found = facts.parseErrors.map((error) => ({ line: 1, rule: 'parse', detail: error }))
  for (const each of facts.imports) {
    const crossing = judgeImport(path, each)
    if (crossing !== undefined) found.push({ line: each.line, ...crossing })
  }
  if (area.ring === 'pure') {
    for (const { what, why, line } of facts.impurities) found.push({ line, rule: 'impure', detail: `${what}: ${why}` })
  }
  if (isIndependentAudit(path)) {
    const chain = chainToEngine(path, tree)
    if (chain !== undefined) found.push({ line: 1, rule: 'audit', detail: `reaches the engine: ${chain.join(' → ')}` })
  }
  return found
}

/**
 * @param {string} path
 * @param {Import} each
 * @returns {{ rule: string, detail: string } | undefined}
 */
function judgeImport(path, each) {
  const area = areaOf(path)
  if (area === undefined) return undefined
  if (each.specifier === undefined) {
    return area.free === true ? undefined : { rule: 'unreadable', detail: 'imports what is only known at run time' }
  }
  if (!isRelative(each.specifier)) {
    if (area.ring !== 'pure') return undefined
    const kind = isBuiltin(each.specifier) ? 'the platform' : 'a package'
    return { rule: 'impure-import', detail: `pure code must not import ${kind}: ${each.specifier}` }
  }
  const target = targetOf(path, each.specifier)
  if (isIndependentAudit(path) && isEngine(target)) {
    return { rule: 'audit', detail: `independent audit code must not import ${target}` }
  }
  const targetArea = areaOf(target)
  if (targetArea !== undefined) return forbiddenArrow(area, targetArea)
  if (area.free === true || (area.ring !== 'pure' && target.endsWith('.json'))) return undefined
  return { rule: 'place', detail: `imports ${target}, which lies in no ring` }
}

/**
 * The shortest way along run-time imports from a file to the engine; undefined when there is none.
 *
 * @param {string} start
 * @param {ReadonlyMap<string, SourceFacts>} tree
 * @returns {string[] | undefined}
 */
function chainToEngine(start, tree) {
  const chains = [[start]]
  const seen = new Set([start])
  for (const chain of chains) {
    const path = /** @type {string} */ (chain.at(-1))
    for (const { specifier, typeOnly } of tree.get(path)?.imports ?? []) {
      if (typeOnly || specifier === undefined || !isRelative(specifier)) continue
      const target = targetOf(path, specifier)
      if (isEngine(target)) return [...chain, target]
      if (!seen.has(target)) chains.push([...chain, target])
      seen.add(target)
    }
  }
  return undefined
}

/** @param {string} specifier */
function isRelative(specifier) {
  return specifier.startsWith('.') || specifier.startsWith('/') || specifier.startsWith('file:')
}

/**
 * The source file behind a specifier. Built files stand for their sources, so that a way round over `dist/` is the same arrow.
 *
 * @param {string} path
 * @param {string} specifier
 */
function targetOf(path, specifier) {
  const target = posix.join(posix.dirname(path), specifier)
  if (!target.startsWith('dist/')) return target
  return target.slice('dist/'.length).replace(/\.js$/, '.ts')
}
