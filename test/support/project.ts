// Where the built product lies. Tests run from the sources and proofs from the build, so nothing here is relative to a
// module: everything starts at the package's root.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder of package.json. */
export const PROJECT_ROOT = rootAbove(import.meta.dirname)

/** The built command line, as `npm start` runs it. */
export const PRODUCT_ENTRY = join(PROJECT_ROOT, 'dist', 'cli', 'main.js')

function rootAbove(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (dirname(folder) === folder) throw new Error(`no package.json above ${start}`)
  }
}
