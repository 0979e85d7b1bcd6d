/** Rows of an import: each applied once, whatever comes again after a crash; and what a job keeps of those that do not land. */
import { describe, expect, test } from 'vitest'
import { JOB_ERRORS_KEPT_MAX } from '../../../engine/domain/limits.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import { couponWith } from '../support/samples.ts'
import { Scene, type Terms } from '../support/scene.ts'

const FIRST_JOB = { shard: 0, seq: 1_000 }
const SECOND_JOB = { shard: 0, seq: 2_000 }

/** What became of a row, in a few words: `CREATED`, `DUPLICATE of line 1`, `INVALID_REQUEST`. */
function put(
  s: Scene,
  line: number,
  fields: Terms[0] = {},
  { job = FIRST_JOB, uses = 0, code = 'X' }: { job?: typeof FIRST_JOB; uses?: number; code?: string } = {},
): string {
  const row = { job, line, uses }
  const outcome = s.say({ type: COMMAND.PUT_COUPON, by: null, row, definition: couponWith(code, fields) })
  if (outcome.type === OUTCOME.REFUSED) return outcome.refusal
  if (outcome.type !== OUTCOME.PUT) throw new Error(`an outcome of type ${outcome.type} answers no row`)
  return outcome.did === 'DUPLICATE' ? `DUPLICATE of line ${outcome.firstLine}` : outcome.did
}

describe('a row of an import', () => {
  test('makes a coupon, with the uses that another system has counted', () => {
    const s = new Scene()
    expect(put(s, 1, { maxUses: 5 }, { uses: 3 })).toBe('CREATED')
    expect(s.coupon('X')).toMatchObject({ uses: 3, status: 'ACTIVE' })
    expect(s.crash().coupon('X')).toMatchObject({ uses: 3, status: 'ACTIVE' })
  })

  test('may say that all uses are spent, and no more than all', () => {
    const s = new Scene()
    expect(put(s, 1, { maxUses: 5 }, { uses: 6 })).toBe('INVALID_REQUEST')
    expect(put(s, 1, { maxUses: 5 }, { uses: 5 })).toBe('CREATED')
    expect(s.coupon('X').status).toBe('EXHAUSTED')
  })

  test('that comes again has landed already and does nothing, before and after a crash', () => {
    const s = new Scene()
    put(s, 1, { maxUses: 5 }, { uses: 3 })
    for (const again of [s, s.crash()]) expect(put(again, 1, { maxUses: 5 }, { uses: 3 })).toBe('CREATED')
    expect(s.events()).toEqual(['COUPON_CREATED'])
  })

  test('with the code of an earlier row of the same file is a duplicate, and changes nothing', () => {
    const s = new Scene()
    put(s, 1, { maxUses: 5 })
    for (const again of [s, s.crash()]) expect(put(again, 2, { maxUses: 7 })).toBe('DUPLICATE of line 1')
    expect(s.coupon('X').definition.maxUses).toBe(5)
  })

  test('of another file changes the coupon once, and does not undo what was changed since', () => {
    const s = new Scene()
    put(s, 1, { maxUses: 5 })
    expect(put(s, 1, { maxUses: 7 }, { job: SECOND_JOB })).toBe('CHANGED')
    s.patch('X', { maxUses: 9 })
    expect(put(s, 1, { maxUses: 7 }, { job: SECOND_JOB })).toBe('CREATED')
    expect(s.coupon('X').definition.maxUses).toBe(9)
    expect(put(s, 2, { maxUses: 8 }, { job: SECOND_JOB })).toBe('DUPLICATE of line 1')
  })

  test('that changes nothing is remembered all the same', () => {
    const s = new Scene()
    put(s, 1, { maxUses: 5 })
    expect(put(s, 1, { maxUses: 5 }, { job: SECOND_JOB })).toBe('UNCHANGED')
    expect(put(s, 2, { maxUses: 6 }, { job: SECOND_JOB })).toBe('DUPLICATE of line 1')
  })

  test('gives uses to a new coupon only', () => {
    const s = new Scene()
    s.has('X', { maxUses: 5 })
    expect(put(s, 1, { maxUses: 5 }, { uses: 1 })).toBe('CODE_TAKEN')
    s.redeem('X')
    expect(put(s, 1, { maxUses: 5 }, { uses: 1 })).toBe('UNCHANGED')
  })
})

test(`a job shows the first ${JOB_ERRORS_KEPT_MAX} rows that did not land, and counts all`, () => {
  const s = new Scene()
  const plan = { kind: 'IMPORT', format: 'CSV', file: 'f.csv', bytes: 1_000_000 } as const
  const started = s.say({ type: COMMAND.START_JOB, by: null, plan })
  if (started.type !== OUTCOME.JOB) throw new Error('no job was begun')
  const { jobSeq } = started
  const errorsFrom = (line: number) =>
    Array.from({ length: 600 }, (_, i) => ({ line: line + i, code: 'INVALID_REQUEST', detail: '' }))
  for (const [place, line] of [1, 601].entries()) {
    const counts = { processed: line + 599, failed: line + 599, total: 0, place: place + 1 }
    s.say({ type: COMMAND.PROGRESS_JOB, jobSeq, ...counts, errors: errorsFrom(line) })
  }
  const job = s.say({ type: COMMAND.GET_JOB, jobSeq })
  if (job.type !== OUTCOME.JOB) throw new Error('there is no job')
  expect(job.failed).toBe(1_200)
  expect(job.errors.length).toBe(JOB_ERRORS_KEPT_MAX)
  expect(job.errors.at(-1)).toMatchObject({ line: JOB_ERRORS_KEPT_MAX })
})
