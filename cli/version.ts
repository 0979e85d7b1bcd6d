/**
 * The version of this program, as its package says.
 */
import { existsSync, readFileSync } from 'node:fs'

/** The package lies one folder up from the sources and two from the build. */
const PACKAGE_PLACES = ['../package.json', '../../package.json']

export function packageVersion(): string {
  for (const place of PACKAGE_PLACES) {
    const url = new URL(place, import.meta.url)
    if (existsSync(url)) return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version
  }
  return 'unknown'
}
