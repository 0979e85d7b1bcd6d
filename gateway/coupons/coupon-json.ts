/**
 * A coupon's definition between its two forms: the JSON of the contract and what the engine keeps.
 *
 *     "value": 12.5          percentBps 1250         "validUntil": "2026-12-24T18:00:00Z"    validUntilMs
 *     field absent           null                    list absent                             []
 *
 * Creation and PATCH go through the same decoder: a patch is merged into the writable fields of what is there and judged
 * as a whole, so that no order of patches can make a coupon that could not have been created.
 */
import {
  amountAt,
  arrayAt,
  BadField,
  booleanAt,
  choiceAt,
  currencyAt,
  integerAt,
  type JsonObject,
  objectAt,
  pseudonymAt,
  required,
  textAt,
  timeAt,
  unknownField,
} from '../json/decode-fields.ts'
import { timeText } from '../json/json-text.ts'
import { DESCRIPTION_LENGTH_MAX, NAME_LENGTH_MAX, OFFER_CHANNELS_MAX, OFFER_IDS_MAX, PRIORITY_MAX } from '../limits.ts'
import { mergedObject } from '../json/merge-patch.ts'
import type { Offer } from '../../engine/domain/offer.ts'
import { canonicalCode, codeFault } from '../../protocol/codes.ts'
import type { CampaignRef, CouponDefinition } from '../../protocol/coupon.ts'
import { DAILY_SCOPES, type DailyLimit } from '../../protocol/daily-limit.ts'
import { formatId, parseId } from '../../protocol/ids.ts'

export const OFFER_TYPES = ['PERCENT', 'FIXED', 'FREESHIP'] as const
export const OFFER_SCOPES = ['ORDER', 'ITEM'] as const
export const OFFER_ALLOCATIONS = ['UNIT', 'LINE', 'ACROSS'] as const
export const OFFER_STACKINGS = ['EXCLUSIVE', 'STACKABLE'] as const

/** What clients read and never write. */
const READ_ONLY: ReadonlySet<string> = new Set([
  'couponId',
  'status',
  'uses',
  'reserved',
  'remaining',
  'lockedBy',
  'lockExpiresAt',
  'version',
  'createdAt',
  'updatedAt',
])
const OFFER_FIELDS: ReadonlySet<string> = new Set([
  'type',
  'value',
  'currency',
  'scope',
  'allocation',
  'maxDiscount',
  'maxUnits',
  'minOrderAmount',
  'minQuantity',
  'applicableProductIds',
  'applicableCategoryIds',
  'excludedProductIds',
  'excludedCategoryIds',
  'channels',
  'stacking',
  'priority',
])

const OTHER_FIELDS: ReadonlySet<string> = new Set([
  'code',
  'campaignId',
  'dailyLimit',
  'merchantId',
  'userId',
  'category',
  'description',
  'listed',
  'maxUses',
  'maxUsesPerUser',
  'validFrom',
  'validUntil',
])

const MAX = Number.MAX_SAFE_INTEGER

/** Gives a code where a body has none: one that lives with its campaign, where there is one. */
export type CodeSource = (campaign: CampaignRef | null) => string

/** The definition a body asks for. */
export function decodeDefinition(body: unknown, generated: CodeSource): CouponDefinition {
  const fields = objectAt(body, '')
  refuseForeignFields(fields)
  const campaign = optional(fields, 'campaignId', campaignAt)
  if (campaign !== null) refuseOfferFields(fields)
  const offer = campaign === null ? decodeOffer(fields, '') : null
  const validFromMs = optional(fields, 'validFrom', timeAt)
  const validUntilMs = optional(fields, 'validUntil', timeAt)
  if (validFromMs !== null && validUntilMs !== null && validUntilMs <= validFromMs) {
    throw new BadField('/validUntil', 'has to be later than validFrom')
  }
  return {
    code: fields['code'] === undefined ? generated(campaign) : codeAt(fields['code'], '/code'),
    offer,
    campaign,
    dailyLimit: optional(fields, 'dailyLimit', dailyLimitAt),
    merchantId: optional(fields, 'merchantId', nameAt),
    userId: optional(fields, 'userId', pseudonymAt),
    category: optional(fields, 'category', nameAt),
    description: optional(fields, 'description', (value, at) => textAt(value, at, DESCRIPTION_LENGTH_MAX)),
    listed: optional(fields, 'listed', booleanAt) ?? false,
    maxUses: optional(fields, 'maxUses', countAt) ?? (campaign === null ? null : 1),
    maxUsesPerUser: optional(fields, 'maxUsesPerUser', countAt),
    validFromMs,
    validUntilMs,
  }
}

function refuseForeignFields(fields: JsonObject): void {
  for (const key in fields) {
    if (OFFER_FIELDS.has(key) || OTHER_FIELDS.has(key)) continue
    if (READ_ONLY.has(key)) throw new BadField(`/${key}`, 'is given by the engine and cannot be written')
    unknownField('', key)
  }
}

function refuseOfferFields(fields: JsonObject): void {
  for (const key in fields) {
    if (OFFER_FIELDS.has(key))
      throw new BadField(`/${key}`, 'is given by the campaign; a coupon of a campaign has none')
  }
}

function campaignAt(value: unknown, pointer: string): CampaignRef {
  const id = typeof value === 'string' ? parseId('cmp_', value) : null
  if (id === null) throw new BadField(pointer, 'has to be the id of a campaign')
  return { shard: id.shard, index: id.number }
}

export function dailyLimitAt(value: unknown, pointer: string): DailyLimit {
  const fields = objectAt(value, pointer)
  for (const key in fields) if (key !== 'perUser' && key !== 'scope') unknownField(pointer, key)
  const perUser = fields['perUser']
  const scope = fields['scope']
  return {
    perUser: perUser === undefined ? 1 : countAt(perUser, `${pointer}/perUser`),
    scope: scope === undefined ? 'ALL' : choiceAt(scope, `${pointer}/scope`, DAILY_SCOPES),
  }
}

/** An offer that stands alone, as a campaign has it. */
export function offerAt(value: unknown, pointer: string): Offer {
  const fields = objectAt(value, pointer)
  for (const key in fields) if (!OFFER_FIELDS.has(key)) unknownField(pointer, key)
  return decodeOffer(fields, pointer)
}

/** The offer that stands in these fields; `at` is where they stand in the body, empty for the body itself. */
function decodeOffer(fields: JsonObject, at: string): Offer {
  if (fields['type'] === undefined) required(`${at}/type`)
  const type = choiceAt(fields['type'], `${at}/type`, OFFER_TYPES)
  const scope = optionalAt(at, fields, 'scope', (value, at) => choiceAt(value, at, OFFER_SCOPES)) ?? 'ORDER'
  const allocation = optionalAt(at, fields, 'allocation', (value, at) => choiceAt(value, at, OFFER_ALLOCATIONS))
  if (allocation !== null && (type !== 'FIXED' || scope !== 'ITEM')) {
    throw new BadField(`${at}/allocation`, 'belongs to type FIXED with scope ITEM')
  }
  const maxUnits = optionalAt(at, fields, 'maxUnits', countAt)
  if (maxUnits !== null && (type === 'FREESHIP' || scope !== 'ITEM')) {
    throw new BadField(`${at}/maxUnits`, 'belongs to scope ITEM')
  }
  const currency = optionalAt(at, fields, 'currency', currencyAt)
  const maxDiscountMinor = optionalAt(at, fields, 'maxDiscount', countAt)
  const minOrderMinor = optionalAt(at, fields, 'minOrderAmount', amountAt)
  if (currency === null && (type === 'FIXED' || maxDiscountMinor !== null || minOrderMinor !== null)) {
    throw new BadField(`${at}/currency`, 'is required beside an amount of money')
  }
  return Object.freeze({
    type,
    percentBps: type === 'PERCENT' ? percentAt(fields['value'], `${at}/value`) : 0,
    valueMinor:
      type === 'FIXED' ? fixedAt(fields['value'], `${at}/value`) : freeshipAt(type, fields['value'], `${at}/value`),
    currency,
    scope,
    allocation: allocation ?? 'ACROSS',
    maxDiscountMinor,
    maxUnits,
    minOrderMinor,
    minQuantity: optionalAt(at, fields, 'minQuantity', countAt),
    applicableProductIds: optionalAt(at, fields, 'applicableProductIds', idsAt) ?? [],
    applicableCategoryIds: optionalAt(at, fields, 'applicableCategoryIds', idsAt) ?? [],
    excludedProductIds: optionalAt(at, fields, 'excludedProductIds', idsAt) ?? [],
    excludedCategoryIds: optionalAt(at, fields, 'excludedCategoryIds', idsAt) ?? [],
    channels: optionalAt(at, fields, 'channels', channelsAt),
    stacking: optionalAt(at, fields, 'stacking', (value, at) => choiceAt(value, at, OFFER_STACKINGS)) ?? 'EXCLUSIVE',
    priority: optionalAt(at, fields, 'priority', (value, at) => integerAt(value, at, -PRIORITY_MAX, PRIORITY_MAX)) ?? 0,
  } as const)
}

function optional<Value>(
  fields: JsonObject,
  key: string,
  decode: (value: unknown, pointer: string) => Value,
): Value | null {
  return optionalAt('', fields, key, decode)
}

function optionalAt<Value>(
  at: string,
  fields: JsonObject,
  key: string,
  decode: (value: unknown, pointer: string) => Value,
): Value | null {
  const value = fields[key]
  return value === undefined ? null : decode(value, `${at}/${key}`)
}

function codeAt(value: unknown, pointer: string): string {
  if (typeof value !== 'string') throw new BadField(pointer, 'has to be a string')
  const code = canonicalCode(value)
  const fault = codeFault(code)
  if (fault !== null) throw new BadField(pointer, fault)
  return code
}

/** Percent with up to 2 decimals: the double nearest to such a number is exactly basis points / 100. */
function percentAt(value: unknown, pointer: string): number {
  if (value === undefined) required(pointer)
  const bps = typeof value === 'number' ? Math.round(value * 100) : 0
  if (bps < 1 || bps > 10_000 || bps / 100 !== value) {
    throw new BadField(pointer, 'has to be a percentage above 0, at most 100, with up to 2 decimals')
  }
  return bps
}

function fixedAt(value: unknown, pointer: string): number {
  if (value === undefined) required(pointer)
  return countAt(value, pointer)
}

function freeshipAt(type: Offer['type'], value: unknown, pointer: string): number {
  if (type === 'FREESHIP' && value !== undefined && value !== 0) {
    throw new BadField(pointer, 'has to be 0 or absent for type FREESHIP')
  }
  return 0
}

export function countAt(value: unknown, pointer: string): number {
  return integerAt(value, pointer, 1, MAX)
}

export function nameAt(value: unknown, pointer: string): string {
  return textAt(value, pointer, NAME_LENGTH_MAX)
}

function idsAt(value: unknown, pointer: string): readonly string[] {
  return namesAt(value, pointer, OFFER_IDS_MAX)
}

/** An empty list takes every channel, like none. */
function channelsAt(value: unknown, pointer: string): readonly string[] | null {
  const channels = namesAt(value, pointer, OFFER_CHANNELS_MAX)
  return channels.length === 0 ? null : channels
}

function namesAt(value: unknown, pointer: string, max: number): readonly string[] {
  return arrayAt(value, pointer, 0, max).map((element, index) => nameAt(element, `${pointer}/${index}`))
}

/** Fields of the contract in the order of the contract; those that say nothing are left out. */
export function definitionJson(definition: CouponDefinition): Record<string, unknown> {
  const { offer } = definition
  return {
    code: definition.code,
    ...(offer === null ? {} : offerJson(offer)),
    ...ownJson(definition),
    ...(offer === null ? {} : shownDefaults(offer)),
    listed: definition.listed,
  }
}

/** What an answer says of an offer even where a request may leave it out. */
function shownDefaults(offer: Offer): Record<string, unknown> {
  return {
    value: offer.type === 'PERCENT' ? offer.percentBps / 100 : offer.valueMinor,
    scope: offer.scope,
    ...(offer.type === 'FIXED' && offer.scope === 'ITEM' ? { allocation: offer.allocation } : {}),
    stacking: offer.stacking,
    priority: offer.priority,
  }
}

/** An offer alone, as answers show it. */
export function shownOffer(offer: Offer): Record<string, unknown> {
  return { ...offerJson(offer), ...shownDefaults(offer) }
}

/** What a creation of the same coupon would have to say: the ground that a PATCH is merged into. */
function writableJson(definition: CouponDefinition): Record<string, unknown> {
  const { offer } = definition
  return definition.campaign !== null || offer === null
    ? ownJson(definition)
    : { code: definition.code, ...offerJson(offer), ...ownJson(definition) }
}

export function offerJson(offer: Offer): Record<string, unknown> {
  const json: Record<string, unknown> = { type: offer.type }
  if (offer.type === 'PERCENT') json['value'] = offer.percentBps / 100
  if (offer.type === 'FIXED') json['value'] = offer.valueMinor
  put(json, 'currency', offer.currency)
  if (offer.scope !== 'ORDER') json['scope'] = offer.scope
  if (offer.allocation !== 'ACROSS') json['allocation'] = offer.allocation
  put(json, 'maxDiscount', offer.maxDiscountMinor)
  put(json, 'maxUnits', offer.maxUnits)
  put(json, 'minOrderAmount', offer.minOrderMinor)
  put(json, 'minQuantity', offer.minQuantity)
  putList(json, 'applicableProductIds', offer.applicableProductIds)
  putList(json, 'applicableCategoryIds', offer.applicableCategoryIds)
  putList(json, 'excludedProductIds', offer.excludedProductIds)
  putList(json, 'excludedCategoryIds', offer.excludedCategoryIds)
  putList(json, 'channels', offer.channels ?? [])
  if (offer.stacking !== 'EXCLUSIVE') json['stacking'] = offer.stacking
  if (offer.priority !== 0) json['priority'] = offer.priority
  return json
}

/** All but the offer. */
function ownJson(rest: CouponDefinition): Record<string, unknown> {
  const json: Record<string, unknown> = { code: rest.code }
  if (rest.campaign !== null) json['campaignId'] = formatId('cmp_', rest.campaign.shard, rest.campaign.index)
  put(json, 'merchantId', rest.merchantId)
  put(json, 'userId', rest.userId)
  put(json, 'category', rest.category)
  put(json, 'description', rest.description)
  if (rest.listed) json['listed'] = true
  put(json, 'maxUses', rest.maxUses)
  put(json, 'maxUsesPerUser', rest.maxUsesPerUser)
  if (rest.dailyLimit !== null) json['dailyLimit'] = rest.dailyLimit
  if (rest.validFromMs !== null) json['validFrom'] = timeText(rest.validFromMs)
  if (rest.validUntilMs !== null) json['validUntil'] = timeText(rest.validUntilMs)
  return json
}

function put(json: Record<string, unknown>, key: string, value: string | number | null): void {
  if (value !== null) json[key] = value
}

function putList(json: Record<string, unknown>, key: string, list: readonly string[]): void {
  if (list.length > 0) json[key] = list
}

/**
 * The definition after an RFC 7396 patch. Its one nested object is the limit a day, else merging is setting and removing members.
 * `code` and `currency` may be repeated and not changed.
 */
export function patchedDefinition(definition: CouponDefinition, patch: unknown): CouponDefinition {
  const changes = objectAt(patch, '')
  refuseForeignFields(changes)
  const merged = writableJson(definition)
  for (const key in changes) {
    const value = changes[key]
    if (key === 'code' && (value === null || codeAt(value, '/code') !== definition.code)) fixedField(key)
    if (key === 'currency' && definition.campaign === null && value !== definition.offer?.currency) fixedField(key)
    if (key === 'campaignId' && value !== merged['campaignId']) fixedField(key)
    if (value === null) delete merged[key]
    else merged[key] = key === 'dailyLimit' ? mergedObject(merged[key], value) : value
  }
  return decodeDefinition(merged, () => definition.code)
}

function fixedField(key: string): never {
  throw new BadField(`/${key}`, 'cannot change')
}
