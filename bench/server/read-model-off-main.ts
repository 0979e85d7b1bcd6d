// Loaded before the product (`node --import`): its read model is never started. There is no setting for that, because no
// operator should want it; the workload that measures what the read model costs has to have a run without it.
//
// Everything else of the product stays as it is. A build whose read model cannot be switched off like this ends here,
// with a sentence: a comparison of two equal servers would look like very good news.

import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'

interface Host {
  start?: () => void
}

async function switchOff(entry: string): Promise<void> {
  const path = join(dirname(entry), '../readmodel/host.js')
  const module = (await import(pathToFileURL(path).href)) as { ReadModelHost?: { prototype: Host } }
  const host = module.ReadModelHost?.prototype
  if (typeof host?.start !== 'function') throw new Error(`${path} has no ReadModelHost with a start`)
  host.start = () => {}
}

// Threads of the product load this too, and have nothing to switch off.
if (isMainThread) await switchOff(process.argv[1] as string)
