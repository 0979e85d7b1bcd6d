/**
 * A rebuild: the database dropped and made from the whole log, as fast as the machine goes. For a directory nobody else uses.
 */
import { dropDatabase } from './database.ts'
import { Projector } from './projector.ts'

export interface RebuildProgress {
  readonly events: number
  /** Logged time of the newest event so far. */
  readonly asOfMs: number
}

/** Returns how many events the log has. Throws JournalError where the log cannot be read. */
export function rebuildReadModel(dataDir: string, onProgress: (progress: RebuildProgress) => void): number {
  dropDatabase(dataDir)
  const projector = new Projector(dataDir, () => {})
  try {
    while (!projector.step(Date.now)) {
      while (projector.isUntidy) projector.tidy()
      onProgress({ events: projector.events, asOfMs: projector.asOfMs })
    }
    while (projector.isUntidy) projector.tidy()
    return projector.events
  } finally {
    projector.close()
  }
}
