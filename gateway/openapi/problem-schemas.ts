/**
 * Schemas of problems and of health.
 */
import Type from 'typebox'
import { refusalCodes, Verdicts } from './checkout-schemas.ts'
import { GATEWAY_STATUS } from '../problem.ts'
import { closed, oneOf, Tally } from './schema-parts.ts'

const Durability = oneOf(['flush', 'relaxed'])
const Replay = closed({ events: Tally, eventsTotal: Type.Union([Tally, Type.Null()]), elapsedMs: Type.Number() })
export const Live = closed({ status: Type.Literal('live'), durability: Durability })
export const Ready = closed({ status: Type.Literal('ready'), durability: Durability, replay: Replay })

export const ProblemBody = closed({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: oneOf([...refusalCodes, ...Object.keys(GATEWAY_STATUS)]),
  detail: Type.String(),
  errors: Type.Optional(Type.Array(closed({ pointer: Type.String(), detail: Type.String() }))),
  coupon: Type.Optional(Type.String()),
  coupons: Type.Optional(Verdicts),
  requestId: Type.String(),
  durability: Type.Optional(Durability),
  replay: Type.Optional(Replay),
})
