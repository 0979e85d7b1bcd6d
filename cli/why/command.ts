/**
 * `tearoff why`: decides a past request again at its position, and says what was in the way and what would have passed.
 */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { EXIT } from '../ending.ts'
import { answerPositions, shownTime, UsageFault } from '../rebuild/positions.ts'
import { ProgressLine } from '../rebuild/progress.ts'
import { directoryOf, type Finding, type Flags, runTool, toolCommand } from '../rebuild/tool.ts'
import { askPast, type PastAnswer } from './ask-past.ts'
import type { Check } from './checks.ts'
import type { ExplainedCoupon } from './explain.ts'
import { pastRequest } from './past-request.ts'

interface WhyFlags extends Flags {
  readonly position: string
  readonly request: string
  readonly operation?: string
  readonly target?: string
}

export function addWhyCommand(program: Command): void {
  toolCommand(program, 'why', 'decide a past request again, and say what was in its way')
    .requiredOption(
      '--position <shard:seq@ms>',
      'X-Tearoff-Position of its answer; all of them, with commas, where it has several',
    )
    .requiredOption(
      '--request <file>',
      'JSON: {"method", "path", "body"}, a WebSocket message, or a bare body; - reads standard input',
    )
    .option('--operation <name>', 'for a bare body: the operation, such as redeem')
    .option('--target <coupon or id>', 'for a bare body: what stands in the path')
    .action(async (flags: WhyFlags) => await runTool(flags, () => why(flags)))
}

function why(flags: WhyFlags): Finding {
  const directory = directoryOf(flags)
  const positions = answerPositions(flags.position, directory.deployment.shards)
  const request = pastRequest(jsonOf(flags.request), {
    operation: flags.operation ?? null,
    target: flags.target ?? '',
  })
  const progress = new ProgressLine('going back through the log')
  try {
    const [answer] = askPast(directory, [{ request, positions }], (doneShare, events) =>
      progress.show(doneShare, events, 'events'),
    )
    progress.end()
    if (answer === undefined) throw new RangeError('one question has one answer')
    const json = { ok: true, operation: request.operation.name, positions, ...answer }
    const at = positions.map(({ shard, seq, timeMs }) => `${shard}:${seq} at ${shownTime(timeMs)}`).join(', ')
    return { exitCode: EXIT.OK, json, lines: linesOf(request.operation.name, at, answer) }
  } finally {
    progress.end()
  }
}

function jsonOf(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (cause) {
    throw new UsageFault(`${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageFault(`${path} holds no JSON`)
  }
}

function linesOf(operation: string, at: string, answer: PastAnswer): readonly string[] {
  const { told, logged, again, explanation } = answer
  const lines: string[] = []
  if (told === null) {
    lines.push(`${operation} after ${at}: accepted; it logged ${logged.join(', ')}`)
    if (again !== null) lines.push(`the same once more at this position: ${toldText(again)}`)
  } else {
    lines.push(`${operation} after ${at}: ${toldText(told)}`)
  }
  for (const coupon of explanation.coupons) lines.push(...couponLines(coupon))
  for (const remark of explanation.remarks) lines.push(`- ${remark}`)
  return lines
}

function toldText({ status, code, body }: NonNullable<PastAnswer['told']>): string {
  if (code === null) return `${status}`
  const { detail, coupon } = body as { readonly detail: string; readonly coupon?: string }
  return `${code} (${status})${coupon === undefined ? '' : `, coupon ${coupon}`}: ${detail}`
}

function couponLines({ code, couponId, heldBy, checks }: ExplainedCoupon): readonly string[] {
  const held = heldBy === null ? '' : `; open reservation ${heldBy} has its capacity, so only the cart counts`
  return [`${code}${couponId === null ? '' : ` (${couponId})`}${held}`, ...checks.map(checkLine)]
}

function checkLine({ check, passed, fact, wouldPass }: Check): string {
  const mark = passed ? 'passed' : 'FAILED'
  const otherwise = wouldPass === null ? '' : `; would pass ${wouldPass}`
  return `  ${mark}  ${check.padEnd(20)}  ${fact}${otherwise}`
}
