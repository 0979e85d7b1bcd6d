/**
 * What reconciliation asks a shard, and what the shard answers: its counters as they stand after one event, raw, with nothing
 * judged by any clock. Both cross between threads as plain messages.
 *
 *     thread ──▶ main ──▶ worker: reads between two turns, so all of an answer is of one sequence ──▶ main ──▶ thread
 *
 * A question is small, so that answering it takes a shard some ten microseconds.
 */
import { bytesOf } from '../../protocol/bytes.ts'
import { BULK_ORDINALS, campaignOrdinal, isCampaign } from '../../protocol/ordinals.ts'
import { takenInDay } from '../domain/days-taken.ts'
import { Key, type ShardState, userSaltedInto } from '../domain/state.ts'

/** Of a question about rows. */
export const ROWS_ASKED_MAX = 2_048
/** Of a question about users, days or names. */
export const NAMES_ASKED_MAX = 256

export type CountersQuestion =
  /** How many there are of what. */
  | { readonly ask: 'sizes' }
  /** Uses and reserved of ordinals that follow each other. */
  | { readonly ask: 'rows'; readonly from: number; readonly count: number }
  | { readonly ask: 'campaigns'; readonly from: number; readonly count: number }
  /** Codes that jobs have made. */
  | { readonly ask: 'jobs'; readonly seqs: readonly number[] }
  | { readonly ask: 'users'; readonly ordinals: readonly number[]; readonly users: readonly string[] }
  | {
      readonly ask: 'days'
      readonly limits: readonly number[]
      readonly dayStartsMs: readonly number[]
      readonly users: readonly string[]
    }
  /** Codes of coupons and names of campaigns. */
  | { readonly ask: 'names'; readonly ordinals: readonly number[] }

export interface CountersAnswer {
  /** The last event that it saw. */
  readonly seq: number
  /** Members of equal index belong together; see `answerCounters`. */
  readonly columns: readonly (readonly number[])[]
  readonly names: readonly string[]
}

/** Called between two events. */
export function answerCounters(state: ShardState, question: CountersQuestion): CountersAnswer {
  const names = question.ask === 'names' ? question.ordinals.map((ordinal) => nameOf(state, ordinal)) : []
  return { seq: state.seq, columns: columnsOf(state, question), names }
}

function columnsOf(state: ShardState, question: CountersQuestion): number[][] {
  const { coupons, campaigns, bulk, users } = state.tables
  switch (question.ask) {
    case 'sizes':
      return [[state.couponCount, state.campaigns.length, bulk.size, users.size]]
    case 'rows': {
      const ordinals = Array.from({ length: question.count }, (_, i) => question.from + i)
      return [
        ordinals.map((ordinal) => coupons.uses.get(ordinal)),
        ordinals.map((ordinal) => coupons.reserved.get(ordinal)),
      ]
    }
    case 'campaigns': {
      const indexes = Array.from({ length: question.count }, (_, i) => question.from + i)
      return [
        indexes.map((index) => coupons.uses.get(campaignOrdinal(index))),
        indexes.map((index) => coupons.reserved.get(campaignOrdinal(index))),
        indexes.map((index) => campaigns.discountTotal.get(index)),
        indexes.map((index) => campaigns.discountHeld.get(index)),
        indexes.map((index) => campaigns.codes.get(index)),
        indexes.map((index) => campaigns.poolSize.get(index)),
      ]
    }
    case 'jobs':
      return [question.seqs.map((seq) => state.jobs.get(seq)?.processed ?? -1)]
    case 'users': {
      const found = question.users.map((user, i) => userCounters(state, question.ordinals[i] as number, user))
      return [found.map(({ uses }) => uses), found.map(({ held }) => held)]
    }
    case 'days':
      return [
        question.users.map((user, i) => {
          state.hashUser(bytesOf(user), state.userKey)
          return takenInDay(state, question.limits[i] as number, question.dayStartsMs[i] as number)
        }),
      ]
    case 'names':
      return []
  }
}

const user = new Key()
const key = new Key()

function userCounters(state: ShardState, ordinal: number, name: string): { uses: number; held: number } {
  const { users } = state.tables
  state.hashUser(bytesOf(name), user)
  userSaltedInto(state, user, ordinal, key)
  const slot = users.find(key.k0, key.k1, key.k2, key.k3)
  return slot < 0 ? { uses: 0, held: 0 } : { uses: users.uses(slot), held: users.held(slot) }
}

function nameOf(state: ShardState, ordinal: number): string {
  if (isCampaign(ordinal)) return state.campaign(ordinal).name
  return ordinal < state.couponCount || ordinal >= BULK_ORDINALS ? state.code(ordinal) : ''
}
