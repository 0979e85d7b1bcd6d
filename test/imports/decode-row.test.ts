// Cells to coupons: what kind of value each field has, and what a row is told that has a wrong one.

import { describe, expect, it } from 'vitest'
import { decodeRow } from '../../imports/decode-row.ts'
import { formatId } from '../../protocol/ids.ts'
import type { ImportFormat } from '../../protocol/jobs.ts'

function decoded(fields: Record<string, unknown>, format: ImportFormat = 'CSV', line = 7, seed = 'seed') {
  return decodeRow({ line, place: 0, fields, fault: '' }, format, seed)
}

function definitionOf(fields: Record<string, unknown>, format: ImportFormat = 'CSV', line = 7, seed = 'seed') {
  const row = decoded(fields, format, line, seed)
  if (!('definition' in row)) throw new Error(row.detail)
  return row
}

describe('a row of CSV', () => {
  it('has numbers, lists, booleans and limits in cells of text', () => {
    const { definition, uses } = definitionOf({
      code: ' summer-1 ',
      type: 'FIXED',
      value: '250',
      currency: 'EUR',
      channels: 'web| app',
      listed: 'true',
      maxUses: '9',
      dailyLimit: 'perUser=2|scope=CAMPAIGN',
      description: '',
      uses: '4',
    })
    expect(definition.code).toBe('SUMMER-1')
    expect(definition.offer?.valueMinor).toBe(250)
    expect(definition.offer?.channels).toEqual(['web', 'app'])
    expect(definition.listed).toBe(true)
    expect(definition.maxUses).toBe(9)
    expect(definition.dailyLimit).toEqual({ perUser: 2, scope: 'CAMPAIGN' })
    expect(definition.description).toBeNull()
    expect(uses).toBe(4)
  })

  it('may belong to a campaign, whose offer it has', () => {
    const { definition } = definitionOf({ code: 'C-1', campaignId: formatId('cmp_', 3, 5) })
    expect(definition.offer).toBeNull()
    expect(definition.campaign).toEqual({ shard: 3, index: 5 })
    expect(definition.maxUses).toBe(1)
  })

  it.each([
    [{ code: 'X-1', type: 'PERCENT', value: 'ten' }, '/value'],
    [{ code: 'X-1', type: 'PERCENT', value: '10', listed: 'yes' }, '/listed'],
    [{ code: 'X-1', type: 'PERCENT', value: '10', uses: '-1' }, '/uses'],
    [{ code: 'X 1', type: 'PERCENT', value: '10' }, '/code'],
    [{ code: 'X-1', type: 'PERCENT', value: '10', campaignId: 'cmp_1' }, '/campaignId'],
    [{ code: 'X-1', type: 'PERCENT', value: '10', validUntil: 'tomorrow' }, '/validUntil'],
  ])('is refused with its line and a pointer: %j', (fields, pointer) => {
    const row = decoded(fields)
    expect(row).toMatchObject({ line: 7, code: 'INVALID_REQUEST' })
    expect('detail' in row && row.detail.startsWith(pointer)).toBe(true)
  })
})

describe('a row without a code', () => {
  const offer = { type: 'PERCENT', value: 10 }

  it('gets the same one whenever it is read, and another than its neighbours', () => {
    const first = definitionOf(offer, 'NDJSON', 1).definition.code
    expect(first).toMatch(/^[A-HJ-NP-Z2-9]{10}$/)
    expect(definitionOf(offer, 'NDJSON', 1).definition.code).toBe(first)
    const codes = new Set(
      Array.from({ length: 1_000 }, (_, line) => definitionOf(offer, 'NDJSON', line).definition.code),
    )
    expect(codes.size).toBe(1_000)
    expect(definitionOf(offer, 'NDJSON', 1, 'another file').definition.code).not.toBe(first)
  })
})
