// Health, figures, the log, overload and the stop: what whoever runs a gateway relies on.

import { describe, expect, test } from 'vitest'
import { Admission } from '../../gateway/operations/admission.ts'
import { HTTP_IN_FLIGHT_MAX } from '../../gateway/limits.ts'
import { createLogger } from '../../gateway/operator/log.ts'
import { ListenFailed } from '../../gateway/server.ts'
import { SETTLED } from '../../engine/transport/port.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { Contract, type OpenApi } from './support/contract.ts'
import { send, startTestGateway } from './support/gateway.ts'
import { redemption, SHARD } from './support/outcomes.ts'
import { postText, RawClient } from './support/raw-client.ts'

const CART = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] }
const REDEEM = { codes: ['SAVE10'], userId: 'secret-user', orderId: 'secret-order', cart: CART }
const CALL = { method: 'POST', path: '/v1/redemptions', body: REDEEM }

test('health says ready, and how safe the answers are', async () => {
  const { gateway, health } = await startTestGateway()
  const contract = new Contract((await send(gateway.port, { path: '/v1/openapi.json' })).json as OpenApi)
  const ready = await send(gateway.port, { path: '/readyz' })
  contract.assertAnswer('GET', '/readyz', ready)
  expect(ready.json).toEqual({
    status: 'ready',
    durability: 'flush',
    replay: { events: 12, eventsTotal: 40, elapsedMs: 3 },
  })
  health.durability = 'relaxed'
  const live = await send(gateway.port, { path: '/livez' })
  contract.assertAnswer('GET', '/livez', live)
  expect(live.json).toEqual({ status: 'live', durability: 'relaxed' })
  await gateway.close()
})

test('until replay is done calls are refused and the progress is shown', async () => {
  const { gateway, health, transport } = await startTestGateway()
  const contract = new Contract((await send(gateway.port, { path: '/v1/openapi.json' })).json as OpenApi)
  health.isReady = false
  const ready = await send(gateway.port, { path: '/readyz' })
  contract.assertAnswer('GET', '/readyz', ready)
  expect(ready).toMatchObject({
    status: 503,
    json: { code: 'SHARD_UNAVAILABLE', durability: 'flush', replay: { events: 12, eventsTotal: 40 } },
  })
  expect(await send(gateway.port, CALL)).toMatchObject({ status: 503, json: { code: 'SHARD_UNAVAILABLE' } })
  expect(transport.asked).toEqual([])
  health.isReady = true
  health.failure = 'the flush failed'
  expect(await send(gateway.port, { path: '/readyz' })).toMatchObject({
    status: 503,
    json: { code: 'STORAGE_UNAVAILABLE', detail: 'the flush failed' },
  })
  await gateway.close()
})

test('figures count calls by route and status and show every shard that answers', async () => {
  const { gateway, transport } = await startTestGateway()
  transport.script = ({ shard, command }) => {
    if (command.type !== COMMAND.DESCRIBE_SHARD) return redemption()
    return shard === 3 ? { settled: SETTLED.NOT_DONE_UNAVAILABLE } : SHARD
  }
  await send(gateway.port, CALL)
  await send(gateway.port, CALL)
  const { text, headers } = await send(gateway.port, { path: '/metrics' })
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(text).toContain('\ntearoff_http_requests_total{method="POST",route="/v1/redemptions",status="201"} 2\n')
  expect(text).toContain('tearoff_http_request_duration_seconds_count{method="POST",route="/v1/redemptions"} 2\n')
  expect(text).toContain('le="+Inf"} 2\n')
  expect(text).toContain('\ntearoff_state_bytes{shard="0"} 6000\n')
  expect(text).toContain('\ntearoff_shard_coupons{shard="15"} 2\n')
  expect(text).not.toContain('{shard="3"}')
  expect(text).toContain('\ntearoff_snapshot_timestamp_seconds 1760000000\n')
  expect(text).toContain('\ntearoff_snapshot_events_behind 77\n')
  expect(text).toContain('\ntearoff_archive_bytes Nan\n')
  // Each series has one type line, and every line is a comment or a sample.
  const types = text.match(/^# TYPE \S+/gm) ?? []
  expect(new Set(types).size).toBe(types.length)
  for (const line of text.split('\n')) expect(line).toMatch(/^$|^# (?:HELP|TYPE) |^[a-z_\d]+(?:\{.*\})? \S+$/)
  await gateway.close()
})

describe('the log', () => {
  test('has a line for a failed call, with its trace, and none for ordinary ones', async () => {
    const { gateway, transport, log } = await startTestGateway()
    transport.script = () => redemption()
    await send(gateway.port, CALL)
    expect(log).toEqual([])
    transport.script = () => ({ settled: SETTLED.STORAGE })
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const { json } = await send(gateway.port, { ...CALL, headers: { traceparent } })
    expect(log).toMatchObject([
      {
        operation: 'redeem',
        problem: 'STORAGE_UNAVAILABLE',
        requestId: (json as { requestId: string }).requestId,
        traceId: 'a'.repeat(32),
      },
    ])
    expect(JSON.stringify(log)).not.toMatch(/secret|SAVE10/)
    await gateway.close()
  })

  test('has a line for a slow call', async () => {
    const { gateway, transport, log } = await startTestGateway({ slowMs: 0 })
    transport.script = () => redemption()
    await send(gateway.port, { ...CALL, headers: { traceparent: 'secret' } })
    expect(log).toMatchObject([{ operation: 'redeem', status: 201, msg: 'call was slow' }])
    expect(JSON.stringify(log)).not.toContain('secret')
    await gateway.close()
  })

  test('does not become a flood', async () => {
    const { gateway, transport, log } = await startTestGateway({ nowMs: () => 5 })
    transport.script = () => ({ settled: SETTLED.NOT_DONE_OVERLOADED })
    for (let i = 0; i < 50; i++) await send(gateway.port, CALL)
    expect(log).toHaveLength(20)
    await gateway.close()
  })

  test('hides codes and users of whatever object is logged', () => {
    const lines: string[] = []
    const logger = createLogger('info', { write: (line: string) => lines.push(line) })
    logger.info({ userId: 'secret', command: { code: 'secret', order: { orderId: 'secret' } }, codes: ['secret'] }, 'x')
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('secret')
    expect(lines[0]).toContain('[redacted]')
  })
})

test('at the bound of calls under way further ones are OVERLOADED', () => {
  const admission = new Admission()
  for (let i = 0; i < HTTP_IN_FLIGHT_MAX; i++) expect(admission.enter()).toBe(true)
  expect(admission.enter()).toBe(false)
  admission.leave()
  expect(admission.enter()).toBe(true)
})

test('at the bound of bytes that are still arriving further ones are refused', () => {
  const admission = new Admission()
  expect(admission.hold(64 * 1_048_576)).toBe(true)
  expect(admission.hold(1)).toBe(false)
  admission.release(1)
  expect(admission.hold(1)).toBe(true)
})

describe('a stop', () => {
  test('finishes what is in flight, refuses what comes, and closes', async () => {
    const { gateway, transport } = await startTestGateway()
    transport.script = () => 'hold'
    transport.heldOutcome = () => redemption()
    const idle = await RawClient.connect(gateway.port)
    await idle.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
    await idle.until('"live"')
    const waiting = await RawClient.connect(gateway.port)
    await waiting.write(postText('/v1/redemptions', JSON.stringify(REDEEM)))
    await transport.waitForAsked(1)
    const closed = gateway.close()
    idle.forget()
    await idle.write(postText('/v1/redemptions', JSON.stringify(REDEEM)))
    expect(await idle.closed()).toMatch(/^HTTP\/1\.1 503 .*the server is stopping/s)
    await expect(RawClient.connect(gateway.port)).rejects.toThrow('ECONNREFUSED')
    transport.releaseHeld()
    expect(await waiting.closed()).toMatch(/^HTTP\/1\.1 201 .*redeemedAt/s)
    await closed
    expect(transport.asked).toHaveLength(1)
  })

  test('does not wait for ever', async () => {
    const { gateway, transport } = await startTestGateway({ drainMs: 10 })
    transport.script = () => 'hold'
    const waiting = await RawClient.connect(gateway.port)
    await waiting.write(postText('/v1/redemptions', JSON.stringify(REDEEM)))
    await transport.waitForAsked(1)
    await gateway.close()
    expect(await waiting.closed()).toBe('')
    // The late answer finds no socket.
    transport.heldOutcome = () => redemption()
    transport.releaseHeld()
  })
})

test('an address that is taken is a clear failure', async () => {
  const { gateway } = await startTestGateway()
  const other = startTestGateway({ port: gateway.port, host: '192.0.2.1' })
  await expect(other).rejects.toThrow(ListenFailed)
  await gateway.close()
})
