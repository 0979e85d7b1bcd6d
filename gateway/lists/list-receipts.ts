/**
 * `GET /redemptions` and `GET /reservations`: the read model says which, their shards show them.
 *
 * A shard remembers closed reservations for the window of orders; those it has forgotten are in no list, as they are nowhere
 * else. What stands in a list by a mere likeness of names (see readmodel/list-keys.ts) is left out too. So a page may need
 * more than one look.
 */
import { ListCall, type Page } from './list-call.ts'
import {
  decodeRedemptionsQuery,
  decodeReservationsQuery,
  LIST_KINDS,
  type ListKind,
  type ReceiptsQuery,
} from './list-query.ts'
import type { Operation } from '../operations/operations.ts'
import { problem } from '../problem.ts'
import type { CouponName, Listed, PageEnd, PageRange, Place, ReadModel } from './read-model.ts'
import { redemptionText, reservationText } from '../checkout/render-checkout.ts'
import { campaignTarget, couponTarget } from '../operations/target.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { formatId } from '../../protocol/ids.ts'
import { OUTCOME, type Outcome } from '../../protocol/outcomes.ts'

/** Looks for one page; then it is as long as it is. */
const LOOKS_MAX = 4

/** What the things of a list are about; null: anything. */
interface Of {
  readonly coupon: CouponName | null
  readonly campaign: CampaignRef | null
}

interface Kind {
  readonly list: ListKind
  readonly places: (readModel: ReadModel, query: ReceiptsQuery, of: Of, range: PageRange) => Promise<Listed<Place>>
  readonly question: (seq: number) => Command<string>
  /** null: it is not shown. */
  readonly text: (shard: number, outcome: Outcome, query: ReceiptsQuery) => string | null
}

const REDEMPTIONS: Kind = {
  list: LIST_KINDS.redemptions,
  places: async (readModel, query, { coupon, campaign }, range) => {
    const isNarrow = coupon !== null || query.userId !== null || query.orderId !== null
    return await readModel.redemptions({ ...query, coupon, campaign: isNarrow ? null : campaign }, range)
  },
  question: (seq) => ({ type: COMMAND.GET_REDEMPTION, seq }),
  text(shard, outcome, { userId, orderId }) {
    if (outcome.type !== OUTCOME.REDEMPTION) throw new Error(`an outcome of type ${outcome.type} shows no redemption`)
    const fits = (userId === null || userId === outcome.userId) && (orderId === null || orderId === outcome.orderId)
    return fits ? redemptionText(shard, formatId('rdm_', shard, outcome.seq), outcome) : null
  },
}

const RESERVATIONS: Kind = {
  list: LIST_KINDS.reservations,
  places: async (readModel, { userId }, { coupon }, range) => await readModel.reservations({ userId, coupon }, range),
  question: (seq) => ({ type: COMMAND.GET_RESERVATION, seq }),
  text(shard, outcome, { userId }) {
    if (outcome.type === OUTCOME.REFUSED && outcome.refusal === 'RESERVATION_NOT_FOUND') return null
    if (outcome.type !== OUTCOME.RESERVATION) throw new Error(`an outcome of type ${outcome.type} shows no reservation`)
    return userId === null || userId === outcome.userId ? reservationText(shard, outcome) : null
  },
}

function operation(name: string, kind: Kind, decode: (query: string) => ReceiptsQuery): Operation {
  return {
    name,
    roles: ['checkout'],
    start(ports, input, sink) {
      const query = decode(input.query)
      if (ports.isUniform === true && query.userId === null && query.orderId === null) {
        sink.refused(NAME_SOMEBODY, '')
        return
      }
      const call = new ListCall(ports, sink)
      call.run(kind.list, async (readModel) => {
        const coupon = query.couponId === null ? null : await couponNamed(call, query.couponId)
        const campaign = query.campaignId === null ? null : campaignTarget(ports.router, query.campaignId)
        if (coupon === undefined || (campaign === null && query.campaignId !== null)) return call.nothing(readModel)
        return await page(call, readModel, kind, query, { coupon, campaign })
      })
    },
  }
}

/** Receipts of everybody name codes; where these must not be found by trying, a checkout sees those of its buyer. */
const NAME_SOMEBODY = problem(
  'FORBIDDEN',
  'where refusals are uniform, a key of role checkout lists by userId or orderId; others need a key of role operations',
)

/** undefined: there is none. */
async function couponNamed(call: ListCall, name: string): Promise<CouponName | undefined> {
  const target = couponTarget(call.ports.router, name)
  if (target === null) return undefined
  const { shard, ref } = target
  if (ref.code === null) return { shard, ordinal: ref.ordinal }
  const outcome = await call.ask(shard, { type: COMMAND.GET_COUPON, coupon: ref })
  return outcome.type === OUTCOME.COUPON ? { shard, ordinal: outcome.ordinal } : undefined
}

/**
 * Whether a coupon of it belongs to the campaign. Lists of a user or an order are short and know nothing of campaigns, so the
 * coupons are asked; in the list of the campaign itself this finds nothing to leave out.
 */
async function isOf(call: ListCall, { campaign }: Of, outcome: Outcome): Promise<boolean> {
  if (campaign === null || outcome.type !== OUTCOME.REDEMPTION) return true
  for (const { shard, ordinal } of outcome.coupons) {
    const coupon = await call.ask(shard, { type: COMMAND.GET_COUPON, coupon: { code: null, ordinal } })
    if (coupon.type !== OUTCOME.COUPON) continue
    const found = coupon.definition.campaign
    if (found !== null && found.shard === campaign.shard && found.index === campaign.index) return true
  }
  return false
}

async function page(call: ListCall, readModel: ReadModel, kind: Kind, query: ReceiptsQuery, of: Of): Promise<Page> {
  const { limit } = query.range
  const data: string[] = []
  let after: PageEnd | null = query.range.after
  let lagMs = 0
  for (let look = 0; look < LOOKS_MAX && data.length < limit; look++) {
    const listed = await kind.places(readModel, query, of, { limit: limit - data.length, after })
    lagMs = Math.max(lagMs, listed.lagMs)
    const texts = await Promise.all(
      listed.items.map(async ({ shard, seq }) => {
        const outcome = await call.ask(shard, kind.question(seq))
        return (await isOf(call, of, outcome)) ? kind.text(shard, outcome, query) : null
      }),
    )
    data.push(...texts.filter((text) => text !== null))
    after = listed.next
    if (after === null) break
  }
  return { data, next: after, lagMs }
}

export const listRedemptions = operation('listRedemptions', REDEMPTIONS, decodeRedemptionsQuery)
export const listReservations = operation('listReservations', RESERVATIONS, decodeReservationsQuery)
