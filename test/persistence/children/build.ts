/** Where the compiled twin of a file of these tests lies: child processes cannot run TypeScript. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'

export function compiledChild(name: string): string {
  const path = join(import.meta.dirname, '..', '..', '..', 'dist', 'test', 'persistence', 'children', `${name}.js`)
  if (!existsSync(path)) throw new Error(`${path} is missing: run "npm run build" before the tests`)
  return path
}
