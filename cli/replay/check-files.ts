/**
 * Holds every sealed segment against the check sum of its seal. The records have check sums of their own and are named when one
 * fails; this finds what was changed in between, where no reader looks.
 */
import { JournalError } from '../../persistence/errors.ts'
import { fileSum } from '../../persistence/file-sum.ts'
import { describeSegment, listSegments, type SegmentFiles } from '../../persistence/segment-files.ts'
import { Divergence } from '../rebuild/divergence.ts'

/** How many have such a sum, and fit it. Throws Divergence at the first that does not. */
export function checkFiles(dataDir: string): number {
  let checked = 0
  for (const files of listSegments(dataDir)) {
    if (files.seal?.sum === undefined) continue
    checkFile(dataDir, files)
    checked++
  }
  return checked
}

function checkFile(dataDir: string, files: SegmentFiles): void {
  const { lane, segment, seal } = files
  const found = sumOf(dataDir, files)
  if (seal?.sum === undefined || (found.bytes === seal.sum.bytes && found.crc32 === seal.sum.crc32)) return
  throw new Divergence(
    `lane ${lane}, segment ${segment} (${files.path}) does not fit the check sum of its seal, though all of its records do: a byte beside them was changed`,
    { where: { lane, segment, record: 0, offset: 0 } },
  )
}

/** It may move to the archive while it is read. */
function sumOf(dataDir: string, files: SegmentFiles): ReturnType<typeof fileSum> {
  try {
    return fileSum(files.path)
  } catch (cause) {
    const { path } = describeSegment(dataDir, files)
    if (path !== files.path) return fileSum(path)
    throw new JournalError('STORAGE_FAILED', `${path} cannot be read`, { cause })
  }
}
