/** Two coupons on two shards, where most stories begin. */
import { expect } from 'vitest'
import type { Terms } from '../support/scene.ts'
import { leftOf } from './stack-image.ts'
import { StackScene } from './stack-scene.ts'

export const AB = ['A0', 'B1'] as const
export const BA = ['B1', 'A0'] as const

export function pair(fields: Terms[0] = {}): StackScene {
  const scene = new StackScene().has('A0', fields).has('B1', fields)
  // What a start looks through is looked through.
  scene.cluster.pass(200)
  return scene
}

/** Nothing is left of any transaction. */
export function expectQuiet({ cluster }: StackScene): void {
  for (const shard of cluster.shards) {
    expect(leftOf(cluster.state(shard))).toEqual({ undecided: 0, outbox: 0, claims: 0 })
  }
}
