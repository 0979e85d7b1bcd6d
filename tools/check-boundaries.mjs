// Command: node tools/check-boundaries.mjs [--root FOLDER] [--json]
//
// Checks that imports point inward only and that pure code stays pure; the rules are in boundaries/rings.mjs.
// Exit 0: clean; 1: crossings, one a line; 2: nothing could be checked. A run that read no file of the product
// has proven nothing, so it must never end with 0.

import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { checkTree } from './boundaries/check-tree.mjs'

const { values: options } = parseArgs({ options: { root: { type: 'string' }, json: { type: 'boolean' } } })
const root = options.root ?? fileURLToPath(new URL('..', import.meta.url))
const report = checkTree(root)

if (options.json === true) {
  console.log(JSON.stringify(report))
} else {
  for (const { path, line, rule, detail } of report.violations) console.log(`${path}:${line} [${rule}] ${detail}`)
  console.log(
    `boundaries: ${report.files} files (${report.productFiles} of the product), ${report.imports} imports, ${report.violations.length} crossings`,
  )
}
if (report.productFiles === 0) {
  console.error('boundaries: read no source file of the product, so nothing is proven')
  process.exitCode = 2
} else if (report.violations.length > 0) {
  process.exitCode = 1
}
