/**
 * What happens in a run, as plain data: who calls what when, and what goes wrong when. A run is these steps and a seed for the
 * rest (how long each frame and flush takes), so that it can be written to a file, played again and made shorter.
 *
 * Steps name others by their `id`, which stays when others are left out; who names one that is gone, or that came to
 * nothing, does nothing.
 */
import type { FailPoint } from '../../engine/shard/fail-points.ts'
import type { CampaignDefinition } from '../../protocol/campaign.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'

interface At {
  readonly id: number
  /** Since the beginning of the run. */
  readonly atMs: number
}

/** Times that a caller asks again when it hears nothing, or that nothing was done. */
interface Patient {
  readonly retries: number
}

/** `campaign`: the step that made it. */
type CouponTerms = Partial<Omit<CouponDefinition, 'code' | 'offer' | 'campaign'>>
type CampaignTerms = Partial<Omit<CampaignDefinition, 'offer'>>

export type ClientStep = At &
  Patient &
  (
    | { readonly do: 'createCampaign'; readonly shard: number; readonly terms: CampaignTerms; readonly percent: number }
    | {
        readonly do: 'createCoupon'
        readonly code: string
        readonly percent: number
        readonly campaign: number | null
        readonly terms: CouponTerms
      }
    | { readonly do: 'patchCoupon'; readonly code: string; readonly terms: CouponTerms }
    | { readonly do: 'endCoupon'; readonly code: string }
    | { readonly do: 'extendCoupon'; readonly code: string; readonly untilMs: number; readonly override: boolean }
    | { readonly do: 'switchCoupon'; readonly code: string; readonly to: 'ENABLED' | 'DISABLED' }
    | { readonly do: 'patchCampaign'; readonly campaign: number; readonly terms: CampaignTerms }
    | { readonly do: 'switchCampaign'; readonly campaign: number; readonly to: 'ENABLED' | 'DISABLED' }
    | { readonly do: 'makeCodes'; readonly campaign: number; readonly count: number }
    | { readonly do: 'cancelJob'; readonly of: number }
    | { readonly do: 'claim'; readonly campaign: number; readonly user: string }
    | {
        readonly do: 'reserve'
        readonly codes: readonly string[]
        readonly user: string
        readonly order: string | null
        readonly totalMinor: number | null
        readonly ttlSeconds: number
      }
    | {
        readonly do: 'redeem'
        readonly codes: readonly string[]
        readonly user: string
        readonly order: string
        readonly totalMinor: number
      }
    | {
        readonly do: 'columns'
        readonly code: string
        readonly users: readonly string[]
        readonly orders: readonly string[]
      }
    | { readonly do: 'validate'; readonly codes: readonly string[]; readonly user: string; readonly totalMinor: number }
    | {
        readonly do: 'redeemReservation'
        readonly of: number
        readonly order: string
        readonly totalMinor: number | null
        readonly allowLate: boolean
      }
    | { readonly do: 'release'; readonly of: number }
    | { readonly do: 'extend'; readonly of: number; readonly ttlSeconds: number }
    | { readonly do: 'reverse'; readonly of: number; readonly returnUse: boolean }
    | { readonly do: 'getReservation'; readonly of: number }
    | { readonly do: 'getRedemption'; readonly of: number }
    | { readonly do: 'getCoupon'; readonly code: string }
    | { readonly do: 'getCampaign'; readonly campaign: number }
    /** The very command of that step once more, as a second click sends it. */
    | { readonly do: 'again'; readonly of: number }
  )

export type FaultStep = At &
  (
    | {
        readonly do: 'crash'
        /** Of the processes, modulo their number. */
        readonly process: number
        readonly isPowerCut: boolean
        readonly downMs: number
        /** Times that it dies again while it recovers. */
        readonly recoveryCrashes: number
        /** How many workers it has when it comes back, where the layout may change. */
        readonly layout: number
      }
    | { readonly do: 'failPoint'; readonly point: FailPoint; readonly when: 'now' | 'flushed'; readonly times: number }
    | { readonly do: 'clockJump'; readonly process: number; readonly byMs: number }
    | { readonly do: 'slowFlushes'; readonly lane: number; readonly flushMs: number; readonly forMs: number }
    | { readonly do: 'diskFault'; readonly lane: number; readonly fault: 'PUT_EIO' | 'PUT_FULL' | 'FLUSH_EIO' }
    | { readonly do: 'nearlyFull'; readonly lane: number; readonly forMs: number }
    | { readonly do: 'flipBit'; readonly process: number; readonly pick: number }
    | { readonly do: 'snapshot'; readonly shard: number }
    | { readonly do: 'partition'; readonly lane: number; readonly forMs: number }
  )

export type Step = ClientStep | FaultStep

export const MODES = ['local', 'network'] as const
/**
 * local     one process with all its lanes: frames between them come in order and are not lost; it dies as a whole
 * network   a process a lane: frames are late, lost, doubled, out of order; each dies alone
 */
export type Mode = (typeof MODES)[number]

export interface Scenario {
  readonly seed: number
  readonly mode: Mode
  /** A power of two. */
  readonly shards: number
  /** Lanes at the beginning; shard s lives on lane s modulo these. */
  readonly lanes: number
  /** How often a busy lane looks for what time has done. */
  readonly sweepMs: number
  /** Frames are under way for up to so long; between machines one in twenty takes ten times that. */
  readonly wireMs: number
  /** Of a thousand frames between machines. */
  readonly lostPerMille: number
  readonly doubledPerMille: number
  /** Ascending by time. */
  readonly steps: readonly Step[]
}

/** A run that is kept, and why. */
export interface FoundRun {
  readonly found: string
  readonly scenario: Scenario
}
