import { keepDirectory, removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { Violation } from './ledger.ts'

interface Proof<Counts> {
  readonly round: number
  readonly counts: Counts
  run(): Promise<void>
}

/**
 * Runs a proof on a directory of its own. Throws a Violation for whatever goes wrong; the directory is kept then, and named in the
 * message beside the seed.
 */
export async function onKeptEvidence<Counts>(
  name: string,
  seed: number,
  proofOn: (dataDir: string) => Proof<Counts>,
): Promise<Counts> {
  const dataDir = temporaryDirectory(name)
  const proof = proofOn(dataDir)
  try {
    await proof.run()
  } catch (cause) {
    keepDirectory(dataDir)
    const { message } = cause as Error
    throw new Violation(`seed ${seed}, round ${proof.round}: ${message}\nthe log is kept in ${dataDir}`, {
      cause,
      evidence: dataDir,
    })
  }
  removeDirectory(dataDir)
  return proof.counts
}
