/**
 * A campaign's definition between its two forms: the JSON of the contract and what the engine keeps.
 *
 *     "lowStockAt": 0.1      lowStockPpm 100,000      "budget": 500000     budgetMinor, in the currency of the offer
 *
 * As with coupons, a PATCH is merged into what a creation of the same campaign would say, and judged as a whole. RFC 7396 merges
 * nested objects too: a patch of `offer` changes the members that it names.
 */
import { countAt, dailyLimitAt, nameAt, offerAt, offerJson, shownOffer } from '../coupons/coupon-json.ts'
import {
  BadField,
  booleanAt,
  currencyAt,
  integerAt,
  type JsonObject,
  objectAt,
  required,
  textAt,
  timeAt,
  unknownField,
} from '../json/decode-fields.ts'
import { timeText } from '../json/json-text.ts'
import { LOCK_SECONDS_DEFAULT, LOCK_SECONDS_MAX, LOW_STOCK_DEFAULT, TIMEZONE_LENGTH_MAX } from '../limits.ts'
import { mergedObject } from '../json/merge-patch.ts'
import type { Offer } from '../../engine/domain/offer.ts'
import type { CampaignDefinition } from '../../protocol/campaign.ts'

/** What clients read and never write. */
const READ_ONLY: ReadonlySet<string> = new Set([
  'campaignId',
  'status',
  'codes',
  'uses',
  'reserved',
  'discountTotal',
  'version',
  'createdAt',
  'updatedAt',
])

const FIELDS: ReadonlySet<string> = new Set([
  'name',
  'merchantId',
  'offer',
  'currency',
  'validFrom',
  'validUntil',
  'timezone',
  'listed',
  'maxUses',
  'maxUsesPerUser',
  'budget',
  'dailyLimit',
  'lockSeconds',
  'lowStockAt',
])

/** Members that are objects themselves, which a patch is merged into. */
const NESTED: ReadonlySet<string> = new Set(['offer', 'dailyLimit'])

const PPM = 1_000_000

export function decodeCampaign(body: unknown): CampaignDefinition {
  const fields = objectAt(body, '')
  refuseForeignFields(fields)
  if (fields['name'] === undefined) required('/name')
  const offer = offerWithin(fields)
  const validFromMs = optional(fields, 'validFrom', timeAt)
  const validUntilMs = optional(fields, 'validUntil', timeAt)
  if (validFromMs !== null && validUntilMs !== null && validUntilMs <= validFromMs) {
    throw new BadField('/validUntil', 'has to be later than validFrom')
  }
  const budgetMinor = optional(fields, 'budget', countAt)
  if (budgetMinor !== null && offer.currency === null) {
    throw new BadField('/currency', 'is required beside an amount of money')
  }
  return {
    name: nameAt(fields['name'], '/name'),
    offer,
    merchantId: optional(fields, 'merchantId', nameAt),
    listed: optional(fields, 'listed', booleanAt) ?? false,
    validFromMs,
    validUntilMs,
    timezone: optional(fields, 'timezone', timezoneAt) ?? 'UTC',
    maxUses: optional(fields, 'maxUses', countAt),
    maxUsesPerUser: optional(fields, 'maxUsesPerUser', countAt),
    budgetMinor,
    dailyLimit: optional(fields, 'dailyLimit', dailyLimitAt),
    lockSeconds: optional(fields, 'lockSeconds', lockSecondsAt) ?? LOCK_SECONDS_DEFAULT,
    lowStockPpm: optional(fields, 'lowStockAt', ppmAt) ?? LOW_STOCK_DEFAULT * PPM,
  }
}

function refuseForeignFields(fields: JsonObject): void {
  for (const key in fields) {
    if (FIELDS.has(key)) continue
    if (READ_ONLY.has(key)) throw new BadField(`/${key}`, 'is given by the engine and cannot be written')
    unknownField('', key)
  }
}

/** The offer; a campaign has one currency, wherever a request names it. */
function offerWithin(fields: JsonObject): Offer {
  if (fields['offer'] === undefined) required('/offer')
  const currency = optional(fields, 'currency', currencyAt)
  const named = objectAt(fields['offer'], '/offer')
  const offer = offerAt(currency === null || named['currency'] !== undefined ? named : { ...named, currency }, '/offer')
  if (currency !== null && offer.currency !== currency) {
    throw new BadField('/offer/currency', `has to be the currency of the campaign, ${currency}`)
  }
  return offer
}

function optional<Value>(
  fields: JsonObject,
  key: string,
  decode: (value: unknown, pointer: string) => Value,
): Value | null {
  const value = fields[key]
  return value === undefined ? null : decode(value, `/${key}`)
}

function lockSecondsAt(value: unknown, pointer: string): number {
  return integerAt(value, pointer, 1, LOCK_SECONDS_MAX)
}

/** A share with up to 6 decimals: the double nearest to such a number is exactly millionths / 1,000,000. */
function ppmAt(value: unknown, pointer: string): number {
  const ppm = typeof value === 'number' ? Math.round(value * PPM) : -1
  if (ppm < 0 || ppm > PPM || ppm / PPM !== value) {
    throw new BadField(pointer, 'has to be a share from 0 to 1 with up to 6 decimals')
  }
  return ppm
}

/** Names only: an offset such as +01:00 has no days of its own. */
const ZONE_FORM = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/

function timezoneAt(value: unknown, pointer: string): string {
  const name = textAt(value, pointer, TIMEZONE_LENGTH_MAX)
  if (ZONE_FORM.test(name) && isTimezone(name)) return name
  throw new BadField(pointer, 'has to be a time zone of the IANA database, such as Europe/Berlin')
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** Fields of the contract in the order of the contract; those that say nothing are left out. */
export function campaignJson(definition: CampaignDefinition): Record<string, unknown> {
  const { offer } = definition
  return {
    name: definition.name,
    ...(definition.merchantId === null ? {} : { merchantId: definition.merchantId }),
    offer: shownOffer(offer),
    ...(offer.currency === null ? {} : { currency: offer.currency }),
    ...limitsJson(definition),
    timezone: definition.timezone,
    listed: definition.listed,
    lockSeconds: definition.lockSeconds,
    lowStockAt: definition.lowStockPpm / PPM,
  }
}

function limitsJson(definition: CampaignDefinition): Record<string, unknown> {
  const { validFromMs, validUntilMs, maxUses, maxUsesPerUser, budgetMinor, dailyLimit } = definition
  return {
    ...(validFromMs === null ? {} : { validFrom: timeText(validFromMs) }),
    ...(validUntilMs === null ? {} : { validUntil: timeText(validUntilMs) }),
    ...(maxUses === null ? {} : { maxUses }),
    ...(maxUsesPerUser === null ? {} : { maxUsesPerUser }),
    ...(budgetMinor === null ? {} : { budget: budgetMinor }),
    ...(dailyLimit === null ? {} : { dailyLimit }),
  }
}

/** The definition after an RFC 7396 patch. `currency` may be repeated and not changed, wherever it stands. */
export function patchedCampaign(definition: CampaignDefinition, patch: unknown): CampaignDefinition {
  const changes = objectAt(patch, '')
  refuseForeignFields(changes)
  const { currency } = definition.offer
  refuseOtherCurrency(changes, '/currency', currency)
  const offer = changes['offer']
  if (typeof offer === 'object' && offer !== null) refuseOtherCurrency(offer as JsonObject, '/offer/currency', currency)
  const merged: Record<string, unknown> = { ...campaignJson(definition), offer: offerJson(definition.offer) }
  for (const key in changes) {
    const value = changes[key]
    if (value === null) delete merged[key]
    else merged[key] = NESTED.has(key) ? mergedObject(merged[key], value) : value
  }
  return decodeCampaign(merged)
}

function refuseOtherCurrency(fields: JsonObject, pointer: string, currency: string | null): void {
  if ('currency' in fields && fields['currency'] !== currency) throw new BadField(pointer, 'cannot change')
}
