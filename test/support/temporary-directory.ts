// Directories that are gone when their owner is: removed on request, at the latest when the process ends.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const open = new Set<string>()
process.on('exit', () => {
  for (const directory of open) rmSync(directory, { recursive: true, force: true })
})

/** `under`: another place than the system's. */
export function temporaryDirectory(purpose: string, under = tmpdir()): string {
  const directory = mkdtempSync(join(under, `tearoff-${purpose}-`))
  open.add(directory)
  return directory
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true })
  open.delete(directory)
}

/** Leaves it where it is, as evidence. */
export function keepDirectory(directory: string): void {
  open.delete(directory)
}
