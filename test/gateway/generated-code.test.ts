// Codes that are drawn for a campaign live on its shard, whatever their first letters.

import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { generatedCode, generatedCodeOn } from '../../gateway/codes/generated-code.ts'
import { Router } from '../../engine/routing.ts'

test.each([1, 16, 1_024])('codes drawn for a shard of %d live there, and differ', (shards) => {
  const router = new Router(shards, new Uint8Array(32).fill(5))
  const codes = new Set<string>()
  for (let draw = 0; draw < 2_000; draw++) {
    const shard = draw % shards
    const code = generatedCodeOn(router, shard, randomBytes)
    expect(code).toMatch(/^[A-HJ-NP-Z2-9]{10}$/)
    expect(router.shardOfCode(code)).toBe(shard)
    codes.add(code)
  }
  expect(codes.size).toBe(2_000)
})

test('every letter stands for as many bytes as any other', () => {
  const letters = new Map<string, number>()
  for (const letter of generatedCode(() => Uint8Array.from({ length: 256 }, (_, byte) => byte))) {
    letters.set(letter, (letters.get(letter) ?? 0) + 1)
  }
  expect([...letters.keys()].sort().join('')).toBe('23456789ABCDEFGHJKLMNPQRSTUVWXYZ')
  expect([...new Set(letters.values())]).toEqual([8])
})
