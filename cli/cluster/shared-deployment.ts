/**
 * The deployment of a cluster: made by the first process, in a stream where the others find it, and in every data directory.
 *
 *     none in the stream ──▶ the own one goes there, if nobody was faster
 *     one in the stream  ──▶ the data directory has none: it gets this one      has another: it belongs elsewhere
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ShardStream } from '../../engine/replica/stream.ts'
import {
  adoptDeployment,
  type Deployment,
  DEPLOYMENT_FILE,
  deploymentText,
  readDeployment,
} from '../../persistence/deployment.ts'
import { JournalError } from '../../persistence/errors.ts'

/** `openOwn` makes the data directory's deployment, or reads it. Throws JournalError. */
export async function sharedDeployment(
  stream: ShardStream,
  dataDir: string,
  openOwn: () => Deployment,
): Promise<Deployment> {
  if ((await stream.lastSeq()) === 0) {
    const own = Buffer.from(deploymentText(openOwn()))
    await new Promise<unknown>((resolve) => stream.append(0, own, resolve))
  }
  const first = await stream.read(1)
  if (first === null)
    throw new JournalError(
      'STORAGE_FAILED',
      'the stream with the deployment of the cluster does not take it: look after NATS',
    )
  const text = Buffer.from(first.bytes).toString('utf8')
  const where = 'the deployment of the cluster'
  if (!existsSync(join(dataDir, DEPLOYMENT_FILE))) return adoptDeployment(dataDir, text, where)
  const own = readDeployment(dataDir)
  if (deploymentText(own) === text) return own
  throw new JournalError(
    'DEPLOYMENT_MISMATCH',
    `${dataDir} belongs to another deployment than the cluster's: give this process an empty data directory, or another TEAROFF_CLUSTER`,
  )
}
