/**
 * `POST /campaigns/{id}/claims`: one free coupon of a pool for a user. Hot: a sale begins with millions of these at once.
 *
 *     CLAIM ─┬─ claimed, the coupon with it ──────────────────────────▶ answer, put together by hand
 *            └─ a reservation alone (an earlier try was done) ──▶ read its coupon ──▶ the same answer
 */
import { ClaimRules, type ShownRules } from './claim-rules.ts'
import { objectAt, pseudonymAt, required, unknownField } from '../json/decode-fields.ts'
import { quoted, timeText } from '../json/json-text.ts'
import type { AnswerSink, Operation, OperationPorts } from '../operations/operations.ts'
import { campaignNotFound } from '../problem.ts'
import { couponText } from '../coupons/render-coupon.ts'
import { answerOf, refusalProblem, ShardCall } from '../operations/shard-call.ts'
import { campaignTarget } from '../operations/target.ts'
import type { ByteReader } from '../../protocol/bytes.ts'
import { type ClaimedHead, readClaimedHead } from '../../protocol/claimed-outcome-codec.ts'
import { COMMAND } from '../../protocol/commands.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { formatId } from '../../protocol/ids.ts'
import { readPosition } from '../../protocol/outcome-codec.ts'
import { type CouponOutcome, OUTCOME, type Outcome, type ReservationOutcome } from '../../protocol/outcomes.ts'

/** The user. */
export function decodeClaim(body: unknown): string {
  const fields = objectAt(body, '')
  for (const key in fields) if (key !== 'userId') unknownField('', key)
  if (fields['userId'] === undefined) required('/userId')
  return pseudonymAt(fields['userId'], '/userId')
}

/** One for all calls of a thread: what it keeps is the same for each of them. */
const claimRules = new ClaimRules()

class ClaimCall extends ShardCall {
  private readonly campaignId: string
  private readonly userId: string
  /** A claim whose coupon is being read. */
  private reservation: ReservationOutcome | null = null
  private reservationPosition = ''

  constructor(ports: OperationPorts, sink: AnswerSink, campaignId: string, userId: string) {
    super(ports, sink)
    this.campaignId = campaignId
    this.userId = userId
  }

  claim({ shard, index }: CampaignRef): void {
    this.send(shard, { type: COMMAND.CLAIM, index, user: this.userId })
  }

  protected override read(shard: number, reply: ByteReader): void {
    const { pos } = reply
    if (!isClaimed(reply)) {
      reply.pos = pos
      super.read(shard, reply)
      return
    }
    const head = readClaimedHead(reply)
    const rules = claimRules.shown(this.campaignId, reply.range())
    this.tell(shard, head, this.claimedText(shard, head, rules))
  }

  /** As `couponText` prints it. The rules have everything between the code and the status. */
  private claimedText(shard: number, head: ClaimedHead, { text, maxUses }: ShownRules): string {
    const lock = `"lockedBy":${quoted(this.userId)},"lockExpiresAt":"${timeText(head.expiresAtMs)}",`
    return (
      `{"couponId":"${formatId('cpn_', shard, head.ordinal)}","code":"${head.code}"${text},` +
      `"status":"${head.status}","uses":${head.uses},"reserved":${head.reserved},` +
      `"remaining":${maxUses === null ? 'null' : maxUses - head.uses - head.reserved},${maxUses === 1 ? lock : ''}` +
      `"version":${head.version},"createdAt":"${timeText(head.createdAtMs)}","updatedAt":"${timeText(head.updatedAtMs)}"}`
    )
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    switch (outcome.type) {
      case OUTCOME.RESERVATION:
        this.readCoupon(outcome)
        return
      case OUTCOME.COUPON:
        this.couponRead(shard, outcome)
        return
      case OUTCOME.REFUSED:
        this.refuse(refusalProblem(outcome))
        return
      default:
        this.misplaced(outcome)
    }
  }

  private readCoupon(reservation: ReservationOutcome): void {
    const coupon = reservation.coupons[0]
    if (coupon === undefined) throw new Error('a claim without a coupon')
    this.reservation = reservation
    this.reservationPosition = this.position
    const ref = { code: null, ordinal: coupon.ordinal }
    this.look(coupon.shard, { type: COMMAND.GET_COUPON, coupon: ref })
  }

  private couponRead(shard: number, coupon: CouponOutcome): void {
    const { reservation } = this
    if (reservation === null) this.misplaced(coupon)
    this.position = this.reservationPosition
    this.tell(shard, reservation, couponText(shard, coupon))
  }

  private tell(shard: number, { again, seq, expiresAtMs }: Claimed, coupon: string): void {
    const reservationId = formatId('rsv_', shard, seq)
    const text = `{"coupon":${coupon},"reservationId":"${reservationId}","expiresAt":"${timeText(expiresAtMs)}"}`
    const answer = answerOf(again ? 200 : 201, text)
    if (!again) answer.location = `/v1/reservations/${reservationId}`
    this.answer(answer)
  }
}

/** Stands behind the type of a claimed coupon, whether other shards had a part in it or not; false: something else came. */
function isClaimed(reply: ByteReader): boolean {
  let type = reply.u8()
  if (type === OUTCOME.ACROSS) {
    for (let left = reply.varint(); left > 0; left--) readPosition(reply)
    type = reply.u8()
  }
  return type === OUTCOME.CLAIMED
}

type Claimed = Pick<ReservationOutcome, 'again' | 'seq' | 'expiresAtMs'>

export const claimCoupon: Operation = {
  name: 'claimCoupon',
  roles: ['checkout'],
  start(ports, input, sink) {
    const userId = decodeClaim(input.body)
    const target = campaignTarget(ports.router, input.target)
    if (target === null) sink.refused(campaignNotFound(), '')
    else new ClaimCall(ports, sink, input.target, userId).claim(target)
  },
}
