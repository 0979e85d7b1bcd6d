// Reads one source file as a syntax tree and lists what it imports and, for pure code, what it touches that it must not.
// A real parser, because a pattern over text is fooled by comments, strings, property names and line breaks.
//
// A name counts wherever it stands for a variable or a type, also where a local one hides the global: pure code has no
// reason to call something `process`. Property names (`event.Date`, `{ process: 1 }`) do not count.
// A file that cannot be parsed must never pass as a file without imports.

import { parseSync, visitorKeys } from 'oxc-parser'

/** @typedef {{ specifier: string | undefined, typeOnly: boolean, dynamic: boolean, line: number }} Import */
/** @typedef {{ what: string, why: string, line: number }} Impurity */
/** @typedef {{ imports: Import[], impurities: Impurity[], parseErrors: string[] }} SourceFacts */
/** @typedef {{ type: string, start: number } & Record<string, unknown>} SyntaxNode */
/** @typedef {{ node: SyntaxNode, key: string } | undefined} Parent */

const CLOCK = 'time is an argument'
const TIMER = 'pure code never waits'
const RANDOM = 'randomness is an argument'
const PROMISE = 'pure code answers at once'
const PLATFORM = 'pure code knows no platform'
const DETOUR = 'it reaches every forbidden name unseen'

/** @type {ReadonlyMap<string, string>} */
const FORBIDDEN_NAMES = new Map([
  ['Date', CLOCK],
  ['performance', CLOCK],
  ['setTimeout', TIMER],
  ['setInterval', TIMER],
  ['setImmediate', TIMER],
  ['queueMicrotask', TIMER],
  ['crypto', RANDOM],
  ['Promise', PROMISE],
  ['PromiseLike', PROMISE],
  ['Buffer', PLATFORM],
  ['NodeJS', PLATFORM],
  ['console', PLATFORM],
  ['fetch', PLATFORM],
  ['process', PLATFORM],
  ['eval', DETOUR],
  ['global', DETOUR],
  ['globalThis', DETOUR],
  ['require', DETOUR],
])

/** Keys under which an identifier is a mere name of a member, unless the brackets make it an expression. */
const MEMBER_NAME_KEYS = new Set(['property', 'key'])

/** Keys under which an identifier is a name in another module or namespace. */
const FOREIGN_NAME_KEYS = new Set([
  'ImportSpecifier.imported',
  'ExportSpecifier.exported',
  'ExportAllDeclaration.exported',
  'TSQualifiedName.right',
  'TSImportType.qualifier',
  'TSNamedTupleMember.label',
  'LabeledStatement.label',
  'BreakStatement.label',
  'ContinueStatement.label',
])

/**
 * @param {string} path decides the dialect by its extension
 * @param {string} text
 * @returns {SourceFacts}
 */
export function readSource(path, text) {
  const parsed = parseSync(path, text, { preserveParens: false })
  const lineAt = lineFinder(text)
  /** @type {SourceFacts} */
  const facts = { imports: [], impurities: [], parseErrors: parsed.errors.map((error) => error.message) }
  walk(/** @type {SyntaxNode} */ (/** @type {unknown} */ (parsed.program)), undefined, (node, parent) => {
    const line = lineAt(node.start)
    const found = importOf(node)
    if (found !== undefined) facts.imports.push({ ...found, line })
    for (const impurity of impuritiesOf(node, parent)) facts.impurities.push({ ...impurity, line })
  })
  return facts
}

/**
 * @param {SyntaxNode} node
 * @returns {Omit<Import, 'line'> | undefined}
 */
function importOf(node) {
  switch (node.type) {
    case 'ImportDeclaration':
      return { specifier: stringOf(node['source']), typeOnly: node['importKind'] === 'type', dynamic: false }
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      if (!isNode(node['source'])) return undefined
      return { specifier: stringOf(node['source']), typeOnly: node['exportKind'] === 'type', dynamic: false }
    case 'TSImportType':
      return { specifier: stringOf(node['source']), typeOnly: true, dynamic: false }
    case 'TSExternalModuleReference':
      return { specifier: stringOf(node['expression']), typeOnly: false, dynamic: false }
    case 'ImportExpression':
      return { specifier: stringOf(node['source']), typeOnly: false, dynamic: true }
    case 'CallExpression': {
      if (!isNamed(node['callee'], 'require')) return undefined
      const first = /** @type {unknown[]} */ (node['arguments'])[0]
      return { specifier: stringOf(first), typeOnly: false, dynamic: true }
    }
    default:
      return undefined
  }
}

/**
 * @param {SyntaxNode} node
 * @param {Parent} parent
 * @returns {Omit<Impurity, 'line'>[]}
 */
function impuritiesOf(node, parent) {
  if (node.type === 'Identifier') return nameImpurities(node, parent)
  if (node['async'] === true) return [{ what: 'async', why: PROMISE }]
  if (node.type === 'AwaitExpression') return [{ what: 'await', why: PROMISE }]
  if (node.type === 'ForOfStatement' && node['await'] === true) return [{ what: 'for await', why: PROMISE }]
  if (node.type === 'VariableDeclaration' && node['kind'] === 'await using') return [{ what: 'await', why: PROMISE }]
  if (node.type === 'ImportExpression') return [{ what: 'import()', why: PROMISE }]
  return []
}

/**
 * @param {SyntaxNode} node
 * @param {Parent} parent
 * @returns {Omit<Impurity, 'line'>[]}
 */
function nameImpurities(node, parent) {
  if (parent !== undefined && isMereName(parent)) return []
  const name = String(node['name'])
  if (name === 'Math') return mathImpurities(parent)
  if (name === 'Function' && isCalled(parent)) return [{ what: 'Function()', why: DETOUR }]
  const why = FORBIDDEN_NAMES.get(name)
  return why === undefined ? [] : [{ what: name, why }]
}

/**
 * `Math.max` is arithmetic, `Math.random` is not; the object as a whole, or a member chosen at run time, could be either.
 *
 * @param {Parent} parent
 * @returns {Omit<Impurity, 'line'>[]}
 */
function mathImpurities(parent) {
  if (parent?.node.type === 'TSQualifiedName') return []
  if (parent?.node.type !== 'MemberExpression' || parent.key !== 'object') {
    return [{ what: 'Math as a value', why: RANDOM }]
  }
  const property = /** @type {SyntaxNode} */ (parent.node['property'])
  const member = parent.node['computed'] === true ? stringOf(property) : String(property['name'])
  if (member === undefined) return [{ what: 'Math[…]', why: RANDOM }]
  return member === 'random' ? [{ what: 'Math.random', why: RANDOM }] : []
}

/** @param {NonNullable<Parent>} parent */
function isMereName({ node, key }) {
  if (FOREIGN_NAME_KEYS.has(`${node.type}.${key}`)) return true
  // `{ process }` is visited twice, as key and as value; the value is the one that counts.
  return MEMBER_NAME_KEYS.has(key) && node['computed'] !== true
}

/** @param {Parent} parent */
function isCalled(parent) {
  return parent?.key === 'callee' && (parent.node.type === 'CallExpression' || parent.node.type === 'NewExpression')
}

/**
 * @param {SyntaxNode} node
 * @param {Parent} parent
 * @param {(node: SyntaxNode, parent: Parent) => void} visit
 */
function walk(node, parent, visit) {
  visit(node, parent)
  const keys = visitorKeys[node.type]
  if (keys === undefined) throw new Error(`the parser gave a node of a kind it does not list: ${node.type}`)
  for (const key of keys) {
    const child = node[key]
    for (const each of Array.isArray(child) ? child : [child]) {
      if (isNode(each)) walk(each, { node, key }, visit)
    }
  }
}

/**
 * @param {unknown} value
 * @returns {value is SyntaxNode}
 */
function isNode(value) {
  return typeof value === 'object' && value !== null && 'type' in value
}

/**
 * @param {unknown} value
 * @param {string} name
 */
function isNamed(value, name) {
  return isNode(value) && value.type === 'Identifier' && value['name'] === name
}

/**
 * The text of a string literal; undefined for anything that is only known at run time.
 *
 * @param {unknown} value
 * @returns {string | undefined}
 */
function stringOf(value) {
  if (!isNode(value)) return undefined
  if (value.type === 'TSLiteralType') return stringOf(value['literal'])
  return value.type === 'Literal' && typeof value['value'] === 'string' ? value['value'] : undefined
}

/**
 * @param {string} text
 * @returns {(offset: number) => number} the line of an offset, from 1
 */
function lineFinder(text) {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (/** @type {number} */ (starts[middle]) <= offset) low = middle
      else high = middle - 1
    }
    return low + 1
  }
}
