/**
 * JSON written by hand: strings and times, the two things in an answer that cost anything to print.
 *
 * Nearly every string here is an id or a code, which needs no escapes; looking is cheaper than `JSON.stringify`. Moments of
 * one commit group are the same millisecond, and those of one second share all but three digits.
 */

// oxlint-disable-next-line no-control-regex -- control characters are exactly what JSON has to escape
const NEEDS_ESCAPE = /["\\\u0000-\u001f\u007f-\uffff]/

/** A JSON string with its quotes. Lone surrogates come out as escapes, so the answer stays valid UTF-8. */
export function quoted(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`
}

let secondShown = -1
let secondText = ''

/** RFC 3339 in UTC with milliseconds: `2026-11-20T18:00:00.000Z`. From 1970 to 9999. */
export function timeText(timeMs: number): string {
  const second = Math.floor(timeMs / 1_000)
  if (second !== secondShown) {
    secondText = new Date(second * 1_000).toISOString().slice(0, 20)
    secondShown = second
  }
  const millis = timeMs - second * 1_000
  return secondText + (millis < 10 ? '00' : millis < 100 ? '0' : '') + String(millis) + 'Z'
}

let positionMs = -1
let positionTime = ''

/** `shard:seq@timeMs`. Printing a time as a number costs more than the rest together, and it seldom changes. */
export function positionText(shard: number, seq: number, timeMs: number): string {
  if (timeMs !== positionMs) {
    positionTime = `@${timeMs}`
    positionMs = timeMs
  }
  return `${shard}:${seq}${positionTime}`
}
