/**
 * Takes a random walk with campaigns, pools, budgets, claims and days on the engine and on the naive model, and throws at
 * the first difference. Afterwards the log is audited and replayed.
 */
import assert from 'node:assert/strict'
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import { bytesOf, textOf } from '../../../protocol/bytes.ts'
import { COMMAND, type Command } from '../../../protocol/commands.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import { EVENT } from '../../../protocol/events.ts'
import { campaignOrdinal } from '../../../protocol/ordinals.ts'
import { OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import { surroundingsOf } from '../../../engine/surroundings.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { campaignWith, codesPlan, couponOf, router } from '../support/campaign-scene.ts'
import { LiveShard, SHARD } from '../support/live-shard.ts'
import { judgeUser } from '../support/state-image.ts'
import { dateIn, ZONES } from '../support/zones.ts'
import { BEGINNINGS_MS, CAMPAIGNS, type CampaignStep } from './campaign-steps.ts'
import { type CampaignAnswer, CampaignModel } from './naive-campaigns.ts'
import { type ModelCampaign, type ModelCoupon, offerFor } from './model-facts.ts'
import { CODES, OFFERS, type Step, USERS } from './steps.ts'
import { type StepOf, Walk } from './walk.ts'

type CampaignStepOf<Kind extends CampaignStep['kind']> = Extract<CampaignStep, { kind: Kind }>
type TermsStep = CampaignStepOf<'createCampaign' | 'patchCampaign'>

/** A fault planted in the engine: what it is told of a campaign, where the model is told the truth. */
export type CampaignPlant = (definition: CampaignDefinition) => CampaignDefinition

/** All users count their days here, so that scope ALL is one step. */
function shardOfWalk(): LiveShard {
  const random = new SeededRandom(1)
  return new LiveShard(SHARD, {
    around: { ...surroundingsOf(SHARD, router), shardOfUser: () => SHARD },
    random: (bytes) => Uint8Array.from({ length: bytes }, () => random.below(256)),
  })
}

export class CampaignWalk extends Walk {
  declare readonly model: CampaignModel
  private readonly plantCampaign: CampaignPlant

  constructor(plantCampaign: CampaignPlant = (definition) => definition, met = new Map<string, number>()) {
    super((definition) => definition, met, shardOfWalk(), new CampaignModel())
    this.plantCampaign = plantCampaign
  }

  override take(steps: readonly (Step | CampaignStep)[]): void {
    super.take(steps as readonly Step[])
  }

  protected override step(step: Step | CampaignStep): void {
    const { model } = this
    switch (step.kind) {
      case 'begin':
        this.nowMs = BEGINNINGS_MS[step.at] as number
        return
      case 'createCampaign': {
        model.beginCommand()
        const definition = this.campaignDefinition(step)
        this.compareCampaign(
          { type: COMMAND.CREATE_CAMPAIGN, by: null, definition: this.plantCampaign(definition) },
          () => model.createCampaign(definition, this.nowMs),
        )
        return
      }
      case 'patchCampaign': {
        model.beginCommand()
        const definition = this.campaignDefinition(step)
        const version = model.campaigns[step.campaign]?.version ?? 1
        const ifVersion = step.stale ? version + 1 : version
        this.compareCampaign(
          {
            type: COMMAND.CHANGE_CAMPAIGN,
            index: step.campaign,
            by: null,
            ifVersion,
            definition: this.plantCampaign(definition),
          },
          () => model.patchCampaign(step.campaign, definition, ifVersion, this.nowMs),
        )
        return
      }
      case 'switchCampaign': {
        model.beginCommand()
        const change = step.enabled ? 'ENABLED' : 'DISABLED'
        this.compareCampaign({ type: COMMAND.SWITCH_CAMPAIGN, index: step.campaign, by: null, change }, () =>
          model.switchCampaign(step.campaign, step.enabled, this.nowMs),
        )
        return
      }
      case 'getCampaign':
        this.getCampaign(step.campaign)
        return
      case 'makeCodes':
        model.beginCommand()
        this.makeCodes(step)
        return
      case 'claim':
        model.beginCommand()
        this.claim(step)
        return
      case 'midnight': {
        const atMs = model.midnight(step.campaign, this.nowMs) + step.shiftMs
        this.nowMs = Math.max(this.nowMs, atMs)
        return
      }
      case 'crash':
        this.live.crash()
        return
      default:
        super.step(step)
    }
  }

  /** Beyond those made one by one the codes made in bulk, as far as there are any. */
  protected override codeOf(index: number): string {
    if (index < CODES.length) return CODES[index] as string
    return this.model.madeInBulk()[index - CODES.length]?.definition.code ?? 'NEVER-MADE'
  }

  /** The last one of those made one by one stands alone; the others belong to a campaign. */
  protected override definition(step: StepOf<'create' | 'patch'>, code: string): CouponDefinition {
    const alone = super.definition(step, code)
    const index = this.campaignFor(code)
    if (index < 0) return { ...alone, dailyLimit: dailyOf(step) }
    return { ...alone, offer: null, campaign: { shard: SHARD, index } }
  }

  protected override shownDefinition(coupon: ModelCoupon): CouponDefinition {
    return { ...coupon.definition, offer: offerFor(coupon) }
  }

  protected override compareAll(): void {
    super.compareAll()
    const { live, model, nowMs } = this
    for (const { index } of model.campaigns) this.getCampaign(index)
    // What ran out is given back to the pools, so that their size is what may be claimed.
    live.actor.sweep(nowMs, 0)
    for (const campaign of model.campaigns) {
      const size = live.state.tables.campaigns.poolSize.get(campaign.index)
      assert.equal(size, model.free(campaign, nowMs).length, 'the size of a pool')
    }
  }

  protected override compareLog(): void {
    super.compareLog()
    const { live, model, nowMs } = this
    for (const campaign of model.campaigns) {
      if (campaign.definition.maxUsesPerUser === null) continue
      for (const user of USERS) {
        const counted = judgeUser(live.state, campaignOrdinal(campaign.index), bytesOf(user), nowMs)
        assert.equal(counted, model.usesOfUser(campaign, user, nowMs), `${user} under campaign ${campaign.index}`)
      }
    }
    this.checkDays()
  }

  /** What the log says of days: each lies in its own bounds, and these are a day of some zone. */
  private checkDays(): void {
    for (const { event, atMs } of this.live.loggedEvents()) {
      if (event.type !== EVENT.DAY_COUNTED) continue
      const { dayStartMs, dayEndMs } = event
      assert.ok(dayStartMs <= atMs && atMs < dayEndMs, `${textOf(event.user)} was counted on another day`)
      const isDay = ZONES.some(
        (zone) =>
          dateIn(zone, dayStartMs) === dateIn(zone, dayEndMs - 1) &&
          dateIn(zone, dayStartMs - 1) === dateIn(zone, dayStartMs) - 1 &&
          dateIn(zone, dayEndMs) === dateIn(zone, dayStartMs) + 1,
      )
      assert.ok(isDay, `${dayStartMs} to ${dayEndMs} is no local day`)
    }
  }

  private campaignFor(code: string): number {
    const made = this.model.madeInBulk().find(({ definition }) => definition.code === code)
    if (made !== undefined) return made.campaign?.index ?? -1
    const place = CODES.indexOf(code as (typeof CODES)[number])
    return place === 3 ? -1 : place % CAMPAIGNS
  }

  private campaignDefinition(step: TermsStep): CampaignDefinition {
    const { maxUses, maxUsesPerUser, budgetMinor, daily, lockSeconds } = step
    const [validFromMs, validUntilMs] = this.windowOf(step.window)
    return campaignWith({
      offer: OFFERS[step.offer] ?? {},
      maxUses,
      maxUsesPerUser,
      budgetMinor,
      validFromMs,
      validUntilMs,
      dailyLimit: daily === null ? null : { ...daily },
      timezone: (ZONES[step.zone] ?? ZONES[0])?.name ?? 'UTC',
      lockSeconds,
    })
  }

  private makeCodes({ campaign, count, pool, owned }: CampaignStepOf<'makeCodes'>): void {
    const { live, model, nowMs } = this
    const distribution = pool ? 'POOL' : 'EXPORTED'
    const userIds = owned ? Array.from({ length: count }, (_, i) => USERS[i % USERS.length] as string) : []
    const plan = codesPlan(campaign, count, { distribution, userIds })
    const { outcome: started } = live.send({ type: COMMAND.START_JOB, by: null, plan }, nowMs)
    assert.ok(started.type === OUTCOME.JOB)
    while (live.actor.hasWork) live.actor.work(nowMs)
    const { jobSeq } = started
    const listed = live.send(
      { type: COMMAND.LIST_CODES, campaignIndex: -1, jobSeq, fromOrdinal: 0, limit: 100 },
      nowMs,
    ).outcome
    assert.ok(listed.type === OUTCOME.CODES)
    assert.equal(listed.codes.length, count)
    for (const [i, { code, ordinal }] of listed.codes.entries()) {
      assert.equal(router.shardOfCode(code), SHARD)
      const made = model.make(couponOf(campaign, code, { userId: userIds[i] ?? null }), distribution, nowMs)
      assert.equal(ordinal, made.ordinal)
    }
  }

  private claim({ campaign: index, user }: CampaignStepOf<'claim'>): void {
    const { live, model, nowMs } = this
    const whose = USERS[user] as string
    const { outcome, position } = live.send({ type: COMMAND.CLAIM, index, user: whose }, nowMs)
    const handed = outcome.type === OUTCOME.CLAIMED ? outcome.ordinal : null
    const predicted = model.claim(index, whose, handed, nowMs)
    if (predicted.kind === 'RESERVATION' && outcome.type === OUTCOME.CLAIMED) {
      this.meet(predicted.again ? 'CLAIMED AGAIN' : 'CLAIMED')
      if (!predicted.again) predicted.reservation.seq = position.seq
      const { seq, expiresAtMs, coupons } = predicted.reservation
      const [coupon] = coupons as readonly [ModelCoupon]
      assert.deepEqual(claimView(outcome), {
        again: predicted.again,
        seq,
        expiresAtMs,
        ordinal: coupon.ordinal,
        code: coupon.definition.code,
        status: model.statusOf(coupon, nowMs),
        version: coupon.version,
      })
      this.compareReservation(seq)
      return
    }
    this.meet(predicted.kind === 'REFUSED' ? predicted.refusal : predicted.kind)
    assert.deepEqual(refusalView(outcome), predicted)
  }

  private getCampaign(index: number): void {
    this.compareCampaign({ type: COMMAND.GET_CAMPAIGN, index }, () => this.model.getCampaign(index))
  }

  private compareCampaign(command: Command<string>, predict: () => CampaignAnswer): void {
    const { outcome } = this.live.send(command, this.nowMs)
    const predicted = predict()
    this.meet(predicted.kind === 'REFUSED' ? predicted.refusal : predicted.kind)
    if (predicted.kind !== 'CAMPAIGN') {
      assert.deepEqual(refusalView(outcome), predicted)
      return
    }
    assert.ok(outcome.type === OUTCOME.CAMPAIGN, `answered with an outcome of type ${outcome.type}`)
    const { index, status, codes, uses, reserved, discountTotalMinor, version, createdAtMs, updatedAtMs } = outcome
    assert.deepEqual(
      { index, status, codes, uses, reserved, discountTotalMinor, version, createdAtMs, updatedAtMs },
      this.campaignView(predicted.campaign),
    )
    assert.deepEqual(outcome.definition, this.plantCampaign(predicted.campaign.definition))
  }

  private campaignView(campaign: ModelCampaign): object {
    const { model, nowMs } = this
    const { index, version, createdAtMs, updatedAtMs } = campaign
    return {
      index,
      status: model.statusOfCampaign(campaign, nowMs),
      codes: model.madeInBulk().filter((one) => one.campaign === campaign).length,
      uses: model.uses(campaign),
      reserved: model.reserved(campaign, nowMs),
      discountTotalMinor: model.spent(campaign),
      version,
      createdAtMs,
      updatedAtMs,
    }
  }
}

/** A limit a day for the coupon that stands alone, drawn from what a step says otherwise. */
function dailyOf({ maxUses, maxUsesPerUser }: StepOf<'create' | 'patch'>): CouponDefinition['dailyLimit'] {
  if (maxUses === 1) return { perUser: 1, scope: 'ALL' }
  return maxUses === 2 ? { perUser: maxUsesPerUser ?? 1, scope: 'CAMPAIGN' } : null
}

function claimView(outcome: Extract<Outcome, { type: typeof OUTCOME.CLAIMED }>): object {
  const { again, seq, expiresAtMs, ordinal, code, status, version } = outcome
  return { again, seq, expiresAtMs, ordinal, code, status, version }
}

function refusalView(outcome: Outcome): object {
  assert.ok(outcome.type === OUTCOME.REFUSED, `answered with an outcome of type ${outcome.type}`)
  const { refusal, retryAfterMs } = outcome
  return { kind: 'REFUSED', refusal, retryAfterMs }
}
