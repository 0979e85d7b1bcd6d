/**
 * Rules of claimed coupons as text. Everybody who claims from a campaign is shown the same offer, limits and window, so they are
 * read and printed once, and the next answers compare bytes instead (see `protocol/claimed-outcome-codec.ts`).
 */
import { definitionJson } from '../coupons/coupon-json.ts'
import { CLAIM_RULES_KEPT_MAX } from '../limits.ts'
import type { Bytes } from '../../protocol/bytes.ts'
import { readClaimedRules } from '../../protocol/claimed-outcome-codec.ts'
import type { ClaimedOutcome } from '../../protocol/outcomes.ts'

export interface ShownRules {
  /** JSON members that follow the code, each with a comma before it. */
  readonly text: string
  readonly maxUses: number | null
}

interface Kept {
  readonly bytes: Buffer
  readonly rules: ShownRules
}

export class ClaimRules {
  private readonly kept = new Map<string, Kept>()

  /** `campaign` is what the bytes are kept under. */
  shown(campaign: string, { buf, start, end }: Bytes): ShownRules {
    const known = this.kept.get(campaign)
    if (known?.bytes.compare(buf, start, end) === 0) return known.rules
    if (this.kept.size >= CLAIM_RULES_KEPT_MAX) this.kept.clear()
    const bytes = Buffer.from(buf.slice(start, end))
    const rules = shownRules(readClaimedRules({ buf: bytes, start: 0, end: bytes.length }))
    this.kept.set(campaign, { bytes, rules })
    return rules
  }
}

function shownRules({ rules, offer }: Pick<ClaimedOutcome, 'rules' | 'offer'>): ShownRules {
  const members: Record<string, unknown> = definitionJson({ ...rules, offer })
  delete members['code']
  return { text: `,${JSON.stringify(members).slice(1, -1)}`, maxUses: rules.maxUses }
}
