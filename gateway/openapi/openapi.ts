/**
 * The served OpenAPI 3.1 document, made once from the table of routes and the schemas. Every operation of the table has an
 * entry in `CONTRACT`, or the program does not compile.
 */
import type { TSchema } from 'typebox'
import { Campaign, CampaignList, Claim, ClaimBody, CreateCampaignBody, PatchCampaignBody } from './campaign-schemas.ts'
import { FORMULAS } from '../codes/codes-csv.ts'
import { takesKey } from '../idempotency/idempotency.ts'
import { KEY_LENGTH_MAX } from '../limits.ts'
import type { OperationName } from '../operations/operation-table.ts'
import { OPERATIONS } from '../operations/operation-table.ts'
import { isCheckoutCall, type Route, ROUTES } from '../http/routes.ts'
import {
  ExtendReservationBody,
  Lock,
  LockBody,
  RedeemBody,
  RedeemCouponBody,
  RedeemReservationBody,
  Redemption,
  Reservation,
  ReserveBody,
  ReverseBody,
  Success,
  ValidateBody,
  Validation,
} from './checkout-schemas.ts'
import {
  CodesBody,
  CodesFile,
  Coupon,
  CreateCouponBody,
  ExpireCouponBody,
  ExtendCouponBody,
  GenerateBody,
  Generated,
  ImportFile,
  Job,
  JobBegun,
  PatchCouponBody,
} from './coupon-schemas.ts'
import { CouponList, EventList, HistoryList, LIST_QUERIES, RedemptionList, ReservationList } from './list-schemas.ts'
import { Live, ProblemBody, Ready } from './problem-schemas.ts'
import { pageQuery } from './schema-parts.ts'
import { SearchList, searchQuery } from './search-schemas.ts'

interface Contract {
  readonly summary: string
  readonly request: TSchema | null
  /** Statuses of success, and the body they share; null: none. */
  readonly success: readonly number[]
  readonly response: TSchema | null
  /** Statuses of refusals beside those every call has. */
  readonly refusals: readonly number[]
}

const JUDGED = [404, 409, 410, 422, 423]

export const CONTRACT: Readonly<Record<OperationName, Contract>> = {
  validate: call('Judge codes on a cart and change nothing', ValidateBody, [200], Validation, []),
  reserve: call('Take capacity of all codes or none', ReserveBody, [200, 201], Reservation, [409, 422, 423]),
  getReservation: call('One reservation', null, [200], Reservation, [404]),
  extendReservation: call('Prolong a reservation', ExtendReservationBody, [200], Reservation, [404, 409, 410]),
  redeemReservation: call('Make a reservation final', RedeemReservationBody, [200, 201], Redemption, JUDGED),
  releaseReservation: call('Give the capacity back', null, [204], null, [404, 409]),
  redeem: call('Reserve and redeem in one step', RedeemBody, [200, 201], Redemption, [409, 422, 423]),
  getRedemption: call('One redemption', null, [200], Redemption, [404]),
  reverseRedemption: call('Take a redemption back', ReverseBody, [200], Redemption, [404, 409]),
  createCoupon: call('Create a coupon', CreateCouponBody, [201], Coupon, [404, 409]),
  getCoupon: call('One coupon, counters current', null, [200], Coupon, [404]),
  patchCoupon: call('Change a coupon (RFC 7396)', PatchCouponBody, [200], Coupon, [404, 409, 412, 428]),
  deleteCoupon: call('Disable a coupon; nothing is erased', null, [200], Coupon, [404, 409]),
  disableCoupon: call('Disable a coupon', null, [200], Coupon, [404, 409]),
  enableCoupon: call('Enable a coupon', null, [200], Coupon, [404, 409]),
  extendCoupon: call('Move the end of a coupon', ExtendCouponBody, [200], Coupon, [404, 409]),
  expireCoupon: call('End a coupon now', ExpireCouponBody, [200], Coupon, [404, 409]),
  validateCoupon: call('Judge one coupon', null, [200], Validation, [404]),
  lockCoupon: call('Lock one coupon for a user', LockBody, [200, 201], Lock, JUDGED),
  redeemCoupon: call('Redeem one coupon', RedeemCouponBody, [200, 201], Success, JUDGED),
  listCoupons: call('Coupons, the newest first; by their end where that is filtered', null, [200], CouponList, []),
  searchCoupons: call(
    'Coupons by words of their text; a code only for those who run a sale',
    null,
    [200],
    SearchList,
    [],
  ),
  couponHistory: call('Every event of the life of a coupon, oldest first', null, [200], HistoryList, [404]),
  listRedemptions: call('Redemptions, the newest first', null, [200], RedemptionList, []),
  listReservations: call('Reservations, the newest first', null, [200], ReservationList, []),
  importCoupons: call('Create or change coupons from a file of any size', ImportFile, [202], JobBegun, [409, 422]),
  createCampaign: call('Create a campaign', CreateCampaignBody, [201], Campaign, []),
  listCampaigns: call('Campaigns, the newest first', null, [200], CampaignList, []),
  getCampaign: call('One campaign, counters current', null, [200], Campaign, [404]),
  patchCampaign: call('Change a campaign (RFC 7396)', PatchCampaignBody, [200], Campaign, [404, 409, 412, 428]),
  disableCampaign: call('Disable a campaign', null, [200], Campaign, [404]),
  enableCampaign: call('Enable a campaign', null, [200], Campaign, [404]),
  claimCoupon: call('A free coupon of the pool for a user', ClaimBody, [200, 201], Claim, [404, 409, 422, 423]),
  generateCoupons: call('Many coupons of one set of rules', GenerateBody, [201, 202], Generated, [404, 422]),
  createCodes: call('Single-use codes of a campaign, by a job', CodesBody, [202], JobBegun, [404, 422]),
  exportCodes: call("A campaign's codes as CSV, streamed", null, [200], CodesFile, [404]),
  getJob: call('How far a job has got', null, [200], Job, [404]),
  cancelJob: call('Cancel a job; what it has made stays', null, [200], Job, [404]),
  listEvents: call('Events of a sale, in the order they were found', null, [200], EventList, []),
}

function call(
  summary: string,
  request: TSchema | null,
  success: readonly number[],
  response: TSchema | null,
  refusals: readonly number[],
): Contract {
  return { summary, request, success, response, refusals }
}

/** Components by name; the others are written where they are used. */
const COMPONENTS = {
  Campaign,
  CampaignList,
  Claim,
  ClaimBody,
  CreateCampaignBody,
  PatchCampaignBody,
  CodesBody,
  Coupon,
  CouponList,
  CreateCouponBody,
  EventList,
  ExpireCouponBody,
  ExtendCouponBody,
  ExtendReservationBody,
  GenerateBody,
  Generated,
  HistoryList,
  Job,
  JobBegun,
  Live,
  Lock,
  LockBody,
  PatchCouponBody,
  ProblemBody,
  Ready,
  RedeemBody,
  RedeemCouponBody,
  RedeemReservationBody,
  Redemption,
  RedemptionList,
  Reservation,
  ReservationList,
  ReserveBody,
  ReverseBody,
  SearchList,
  Success,
  ValidateBody,
  Validation,
} as const

type Json = Readonly<Record<string, unknown>>

function reference(schema: TSchema): Json {
  const found = Object.entries(COMPONENTS).find(([, component]) => component === schema)
  return found === undefined ? { ...schema } : { $ref: `#/components/schemas/${found[0]}` }
}

const REFUSED_ANYWHERE = [400, 401, 403, 500, 503]
/** Where an operation takes an Idempotency-Key, any answer that is kept may be a replay. */
const REPLAYED = {
  'Idempotent-Replayed': { schema: { type: 'string', const: 'true' }, description: 'This is the first answer again.' },
}
const HEADERS = {
  'X-Request-Id': { schema: { type: 'string' } },
  'X-Tearoff-Position': { schema: { type: 'string' }, description: 'shard:seq@timeMs, where a shard answered' },
}
const LAG = {
  'X-Tearoff-Lag-Ms': { schema: { type: 'integer', minimum: 0 }, description: 'How old what the list shows is.' },
}
const RETRY_AFTER = { 'Retry-After': { schema: { type: 'integer', minimum: 1 }, description: 'Seconds.' } }
/** On every answer of a checkout call while limits are on. */
const RATE_LIMIT = {
  'RateLimit-Policy': { schema: { type: 'string' }, description: 'Quotas: q tokens, whole again after w seconds.' },
  RateLimit: {
    schema: { type: 'string' },
    description: 'What is left of them (r), and when they are whole again (t).',
  },
}
const DESCRIPTIONS: Readonly<Record<number, string>> = {
  200: 'Done, or done before',
  201: 'Created',
  202: 'Begun: a job does it',
  204: 'Done',
}

/** The document as a value. */
function openApi(): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of ROUTES) {
    const methods = (paths[route.path] ??= {})
    methods[route.method.toLowerCase()] = operationOf(route)
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Tearoff', version: '1', license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    security: [{ apiKey: [] }, {}],
    paths: { ...paths, ...operatorPaths() },
    components: {
      schemas: COMPONENTS,
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } },
      responses: {
        Problem: {
          description: 'Refused',
          headers: { ...HEADERS, ...REPLAYED },
          content: content(ProblemBody, 'application/problem+json'),
        },
      },
    },
  }
}

/** The document as it is served. */
export function openApiText(): string {
  return JSON.stringify(openApi())
}

function operationOf(route: Route): Json {
  const name = nameOf(route)
  const contract = CONTRACT[name]
  const responses: Record<string, Json> = {}
  const isKeyed = takesKey(route.operation)
  for (const status of contract.success) responses[status] = successOf(contract, status, isKeyed)
  const conflict = isKeyed ? [422] : []
  const limited = isCheckoutCall(route.operation) ? [429] : []
  const refusals = [
    ...REFUSED_ANYWHERE,
    ...contract.refusals,
    ...conflict,
    ...limited,
    ...(route.body === 'none' ? [] : [413, 415]),
  ]
  for (const status of refusals) responses[status] = refusalOf(status)
  return {
    operationId: route.alias ? `${name}Alias` : name,
    summary: contract.summary,
    'x-tearoff-roles': [...OPERATIONS[name].roles, 'operations'],
    parameters: parametersOf(route),
    ...(contract.request === null
      ? {}
      : { requestBody: { required: true, content: requestContent(route, contract.request) } }),
    responses,
  }
}

/** Parameters of a list; null: it is none. */
function queryOf({ response }: Contract): Readonly<Record<string, TSchema>> | null {
  if (response === CampaignList) return pageQuery
  if (response === SearchList) return searchQuery
  return LIST_QUERIES.find(({ list }) => list === response)?.query ?? null
}

function nameOf(route: Route): OperationName {
  return route.operation.name as OperationName
}

function requestContent(route: Route, schema: TSchema): Json {
  if (route.body === 'upload') return { ...content(schema, 'text/csv'), ...content(schema, 'application/x-ndjson') }
  const json = content(schema, 'application/json')
  return route.body === 'mergePatch' ? { ...json, ...content(schema, 'application/merge-patch+json') } : json
}

function content(schema: TSchema, type: string): Json {
  return { [type]: { schema: reference(schema) } }
}

function successOf(contract: Contract, status: number, isKeyed: boolean): Json {
  const description = DESCRIPTIONS[status] ?? 'Done'
  const created = status === 201 || status === 202 ? { Location: { schema: { type: 'string' } } } : {}
  const replayed = isKeyed || (status === 200 && contract.success.includes(201)) ? REPLAYED : {}
  const isLagging = queryOf(contract) !== null && contract.response !== EventList
  const lag = isLagging ? LAG : {}
  const tagged =
    contract.response === Coupon || contract.response === Campaign ? { ETag: { schema: { type: 'string' } } } : {}
  const headers: Json = { ...HEADERS, ...created, ...replayed, ...tagged, ...lag }
  if (contract.response === null) return { description, headers }
  const stream = contract.response === EventList ? { 'text/event-stream': { schema: { type: 'string' } } } : {}
  if (contract.response === CodesFile) return { description, headers, content: content(CodesFile, 'text/csv') }
  if (status === 202) return { description, headers, content: content(JobBegun, 'application/json') }
  return { description, headers, content: { ...content(contract.response, 'application/json'), ...stream } }
}

function refusalOf(status: number): Json {
  if (status === 429) {
    return {
      description: 'Refused; too many calls. May be tried again',
      headers: { ...HEADERS, ...RETRY_AFTER, ...RATE_LIMIT },
      content: content(ProblemBody, 'application/problem+json'),
    }
  }
  if (status !== 423 && status !== 503) return { $ref: '#/components/responses/Problem' }
  return {
    description: 'Refused; may be tried again',
    headers: { ...HEADERS, ...RETRY_AFTER, ...REPLAYED },
    content: content(ProblemBody, 'application/problem+json'),
  }
}

function parametersOf(route: Route): readonly Json[] {
  const parameters: Json[] = []
  const target = /\{(\w+)\}/.exec(route.path)?.[1]
  if (target !== undefined) {
    const description = target === 'coupon' ? 'A coupon id or a code.' : 'An id.'
    parameters.push({ name: target, in: 'path', required: true, description, schema: { type: 'string' } })
  }
  if (takesKey(route.operation)) {
    parameters.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description: 'Kept for 24 hours. The same request with it gets the first answer again.',
      schema: { type: 'string', minLength: 1, maxLength: KEY_LENGTH_MAX },
    })
  }
  if (route.body === 'mergePatch') {
    parameters.push({ name: 'If-Match', in: 'header', required: true, schema: { type: 'string' } })
  }
  for (const [name, schema] of Object.entries(queryOf(CONTRACT[nameOf(route)]) ?? {})) {
    parameters.push({ name, in: 'query', required: false, schema })
  }
  if (nameOf(route) === 'exportCodes') {
    const description = 'defuse puts an apostrophe before a cell that a spreadsheet would take for a formula.'
    parameters.push({
      name: 'formulas',
      in: 'query',
      required: false,
      description,
      schema: { enum: FORMULAS, default: 'defuse' },
    })
  }
  if (nameOf(route) === 'validateCoupon') {
    for (const [name, schema] of Object.entries(LockBody.properties)) {
      if (name !== 'cart') parameters.push({ name, in: 'query', required: false, schema })
    }
  }
  return parameters
}

function operatorPaths(): Record<string, Json> {
  return {
    '/livez': operatorPage('live', 'Whether the process runs', content(Live, 'application/json'), []),
    '/readyz': operatorPage('ready', 'Whether calls are taken', content(Ready, 'application/json'), [503]),
    '/metrics': operatorPage(
      'metrics',
      'Figures for Prometheus',
      { 'text/plain': { schema: { type: 'string' } } },
      [401, 403],
    ),
    '/v1/openapi.json': operatorPage(
      'openapi',
      'This document',
      { 'application/json': { schema: { type: 'object' } } },
      [],
    ),
  }
}

function operatorPage(operationId: string, summary: string, answer: Json, refusals: readonly number[]): Json {
  const responses: Record<string, Json> = { 200: { description: 'Done', headers: HEADERS, content: answer } }
  for (const status of refusals) responses[status] = refusalOf(status)
  return { get: { operationId, summary, responses } }
}
