// Definitions as packed bytes: what goes in comes out, whatever is kept unpacked, however large, and after changes.

import { describe, expect, it } from 'vitest'
import { DefinitionTable } from '../../../../engine/shard/tables/definition-table.ts'
import type { CouponDefinition } from '../../../../protocol/coupon.ts'
import { couponWith } from '../../support/samples.ts'

function described(code: string, description: string): CouponDefinition {
  return couponWith(code, { description })
}

describe('definitions', () => {
  it('come back equal, in any order, far more of them than are kept unpacked', () => {
    const table = new DefinitionTable()
    const count = 5_000
    const one = (i: number): CouponDefinition => described(`CODE-${i}`, `offer ${i} ${'x'.repeat(i % 200)}`)
    for (let i = 0; i < count; i++) table.set(i, one(i))
    for (let i = count - 1; i >= 0; i -= 7) expect(table.get(i)).toEqual(one(i))
    for (let i = 0; i < count; i += 11) expect(table.get(i)).toEqual(one(i))
  })

  it('are what they were changed to, also where the old one was kept unpacked', () => {
    const table = new DefinitionTable()
    table.set(0, described('A-1', 'before'))
    table.set(1_024, described('A-2', 'shares its place among the unpacked'))
    expect(table.get(0).description).toBe('before')
    table.setPacked(0, table.packed(1_024).slice())
    expect(table.get(0).code).toBe('A-2')
    table.set(0, described('A-1', 'after'))
    expect(table.get(0).description).toBe('after')
    expect(table.get(1_024).code).toBe('A-2')
  })

  it('may be larger than a page', () => {
    const table = new DefinitionTable()
    const large = couponWith('LARGE', { description: 'd'.repeat(200_000) })
    table.set(0, described('SMALL-1', 'in front'))
    table.set(1, large)
    table.set(2, described('SMALL-2', 'behind'))
    expect(table.get(1)).toEqual(large)
    expect([table.get(0).code, table.get(2).code]).toEqual(['SMALL-1', 'SMALL-2'])
  })

  it('cost little more than their bytes', () => {
    const table = new DefinitionTable()
    const count = 50_000
    let packed = 0
    for (let i = 0; i < count; i++) {
      table.set(i, described(`MANY-${i}`, `summer offer ${i} for shoes`))
      packed += table.packed(i).length
    }
    expect(table.bytes).toBeLessThan(packed * 1.05 + count * 14)
  })

  it('of nobody are a broken invariant', () => {
    expect(() => new DefinitionTable().get(3)).toThrow('without a definition')
  })
})
