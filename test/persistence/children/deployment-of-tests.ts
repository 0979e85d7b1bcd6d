import type { Deployment } from '../../../persistence/deployment.ts'

/** The deployment that tests and their children agree on. */
export const deploymentOfTests: Deployment = {
  formatVersion: 1,
  shards: 16,
  hashVersion: 1,
  secret: new Uint8Array(32).fill(7),
  createdAtMs: 1_700_000_000_000,
}
