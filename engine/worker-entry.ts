/**
 * Where the compiled entry of a worker thread lies. Node starts threads from JavaScript files only, so tests that run from the
 * TypeScript sources find the build beside them; the compiler does not rewrite URLs, hence this one place.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** `name` is a path from `engine/` without its ending, such as `shard/thread`. */
export function workerEntry(name: string): URL {
  const beside = new URL(`./${name}.js`, import.meta.url)
  if (existsSync(fileURLToPath(beside))) return beside
  const built = new URL(`../dist/engine/${name}.js`, import.meta.url)
  if (existsSync(fileURLToPath(built))) return built
  throw new Error(`${fileURLToPath(built)} is missing: run npm run build first`)
}
