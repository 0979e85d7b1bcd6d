// The command line as a person meets it: the built program, what it prints, how it ends.

import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SETTINGS } from '../../cli/configuration.ts'
import { HttpClient } from '../support/http-client.ts'
import { PRODUCT_ENTRY } from '../support/project.ts'
import { ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

let dataDir: string

beforeEach(() => {
  dataDir = temporaryDirectory('cli')
})

afterEach(() => {
  removeDirectory(dataDir)
})

function tearoff(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PRODUCT_ENTRY, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', ...env },
    timeout: 20_000,
  })
  return { status, stdout, stderr, lines: stderr.trimEnd().split('\n') }
}

/** What must end in one sentence on standard error and nothing else. */
function sentenceOf(result: ReturnType<typeof tearoff>): string {
  expect(result.status).toBe(1)
  expect(result.stdout).toBe('')
  expect(result.lines).toHaveLength(1)
  return result.lines[0] ?? ''
}

describe('what is typed', () => {
  it('without sense ends with 2 and says what there is', () => {
    for (const args of [
      [],
      ['sreve'],
      ['serve', '--prot', '1'],
      ['keys', 'create', '--role', 'cook', '--name', 'x'],
      ['demo', '--buyers', '0'],
    ]) {
      const { status, stderr } = tearoff(args)
      expect([args, status]).toEqual([args, 2])
      expect(stderr).toMatch(/Usage: tearoff|tearoff --help/)
      expect(stderr).not.toContain('    at ')
    }
  })

  it('as a question is answered with 0', () => {
    const help = tearoff(['serve', '--help'])
    expect(help.status).toBe(0)
    for (const name of Object.keys(SETTINGS))
      expect(help.stdout).toContain(`--${name.toLowerCase().replaceAll('_', '-')} <value>`)
    const { version } = JSON.parse(readFileSync(join(PRODUCT_ENTRY, '../../../package.json'), 'utf8')) as {
      version: string
    }
    expect(tearoff(['--version'])).toMatchObject({ status: 0, stdout: `${version}\n` })
  })

  it('as a setting is checked, and a flag wins over the environment', () => {
    expect(sentenceOf(tearoff(['serve'], { TEAROFF_PROT: '1' }))).toContain(
      'TEAROFF_PROT is not a setting; there are TEAROFF_HOST',
    )
    expect(sentenceOf(tearoff(['serve', '--port', 'http'], { TEAROFF_PORT: '0' }))).toBe(
      'tearoff: TEAROFF_PORT=http is not a whole number from 0 to 65535',
    )
    expect(sentenceOf(tearoff(['serve', '--durability', 'replicated']))).toContain('needs TEAROFF_NATS_URL')
    expect(sentenceOf(tearoff(['serve', '--host', '0.0.0.0', '--auth', 'off']))).toContain('loopback address only')
  })

  it('with the log level debug shows the stack of a failure too', () => {
    const { status, lines } = tearoff(['keys', 'revoke', 'nobody', '--data-dir', dataDir], {
      TEAROFF_LOG_LEVEL: 'debug',
    })
    expect(status).toBe(1)
    expect(lines.some((line) => line.startsWith('    at '))).toBe(true)
    expect(lines.at(-1)).toBe('tearoff: there is no valid key with the id or name "nobody"')
  })
})

describe('keys', () => {
  it('are made, shown once, listed without their secret and revoked beside a running server', async () => {
    const server = await startServer({ dataDir, settings: { AUTH: 'on' } })
    expect(server.log).toContainEqual(
      expect.objectContaining({ msg: expect.stringContaining('tearoff keys create') as string }),
    )
    const http = new HttpClient(server.port)
    expect((await http.get('/v1/coupons/NONE')).status).toBe(401)
    const made = tearoff(['keys', 'create', '--role', 'marketing', '--name', 'spring sale', '--data-dir', dataDir])
    expect(made.status).toBe(0)
    const key = made.stdout.trimEnd()
    expect(key).toMatch(/^tearoff_m_[0-9A-Za-z]{49}$/)
    expect(made.stderr).not.toContain(key)
    expect(statSync(join(dataDir, 'keys.json')).mode & 0o077).toBe(0)
    const statusWithKey = async (): Promise<number> =>
      (await http.get('/v1/coupons/NONE', { authorization: `Bearer ${key}` })).status
    await expect.poll(statusWithKey, { timeout: 5_000, interval: 100 }).toBe(404)
    const listed = tearoff(['keys', 'list', '--data-dir', dataDir]).stdout
    expect(listed).toMatch(/^KEY +ROLE +NAME +CREATED +REVOKED\nkey_\w+ +marketing +spring sale +\S+Z +-\n$/)
    expect(listed).not.toContain(key)
    expect(
      sentenceOf(tearoff(['keys', 'create', '--role', 'checkout', '--name', 'spring sale', '--data-dir', dataDir])),
    ).toContain('there is a valid key named "spring sale"')
    expect(tearoff(['keys', 'revoke', 'spring sale', '--data-dir', dataDir]).status).toBe(0)
    await expect.poll(statusWithKey, { timeout: 5_000, interval: 100 }).toBe(401)
    http.close()
    await server.stop()
    expect(server.lastWords).not.toContain(key)
  })
})

describe('serve', () => {
  const coupon = { code: 'SAVE10', type: 'PERCENT', value: 10, maxUses: 1 }

  it('stops in order on SIGTERM, gives the directory free and knows everything at the next start', async () => {
    const first = await startServer({ dataDir })
    const http = new HttpClient(first.port)
    expect((await http.post('/v1/coupons', coupon)).status).toBe(201)
    http.close()
    await first.stop()
    expect(first.log.map(({ msg }) => msg)).toEqual([`listening on ${first.baseUrl}`, 'ready', 'stopping', 'stopped'])
    expect(first.errorLines).toEqual([])
    const second = await startServer({ dataDir })
    expect(second.log).toContainEqual(expect.objectContaining({ msg: 'ready', events: 1 }))
    const again = new HttpClient(second.port)
    expect((await again.get('/v1/coupons/save10')).json).toMatchObject({ code: 'SAVE10', uses: 0, remaining: 1 })
    again.close()
    second.signal('SIGINT')
    expect(await second.ended).toEqual({ code: 0, signal: null })
  })

  it('is turned away from a directory or a port that is taken, in a sentence', async () => {
    const server = await startServer({ dataDir })
    expect(sentenceOf(tearoff(['serve', '--data-dir', dataDir, '--port', '0']))).toBe(
      `tearoff: the data directory ${dataDir} is in use by process ${server.pid}: stop that process, or start with another directory`,
    )
    const elsewhere = temporaryDirectory('cli')
    const late = tearoff(['serve', '--data-dir', elsewhere, '--port', String(server.port)])
    expect(sentenceOf(late)).toBe(`tearoff: cannot listen on 127.0.0.1:${server.port}; is it taken?`)
    removeDirectory(elsewhere)
    await server.stop()
  })

  it('takes the number of shards from the deployment, and refuses another one only when it is asked for', async () => {
    await (await startServer({ dataDir, settings: { SHARDS: '4' } })).stop()
    const silent = await startServer({ dataDir })
    expect(silent.log).toContainEqual(expect.objectContaining({ shards: 4 }))
    await silent.stop()
    expect(sentenceOf(tearoff(['serve', '--data-dir', dataDir, '--shards', '16', '--port', '0']))).toContain(
      'was made with 4 shards and 16 are asked for',
    )
  })

  it('with a damaged log ends in a sentence and gives the directory free', async () => {
    const server = await startServer({ dataDir })
    const http = new HttpClient(server.port)
    await http.post('/v1/coupons', coupon)
    http.close()
    await server.stop()
    const segment = join(dataDir, 'lanes', '00', '000001.mdb')
    const bytes = readFileSync(segment)
    bytes.set(Buffer.from('SAVE99'), bytes.indexOf('SAVE10'))
    writeFileSync(segment, bytes)
    const damaged = new ServerProcess({ dataDir })
    expect((await damaged.ended).code).toBe(1)
    expect(damaged.errorLines).toHaveLength(1)
    expect(damaged.lastErrorLine).toContain('record 1 does not fit its check sum')
    expect(() => statSync(join(dataDir, 'process.lock'))).toThrow('ENOENT')
  })

  it('that cannot write its log answers STORAGE_UNAVAILABLE, then ends with 1 and says why', async () => {
    // No file may grow beyond 48 KiB; the signal that comes with it is ignored, so that the write fails instead.
    const server = await startServer({ dataDir, shell: "trap '' XFSZ; ulimit -f 48" })
    const http = new HttpClient(server.port, 1)
    await http.post('/v1/coupons', { ...coupon, maxUses: 10_000 })
    const codes = new Set<string>()
    let failedMs = 0
    for (let n = 0; server.isRunning; n++) {
      const body = { codes: ['SAVE10'], userId: `u${n}`, orderId: `o${n}`, cart: { orderTotal: 100, currency: 'EUR' } }
      // At the very end the connection is gone.
      const reply = await http.post('/v1/redemptions', body).catch(() => null)
      if (reply === null) break
      codes.add(String(reply.status === 201 ? reply.status : reply.json['code']))
      if (reply.status === 503 && failedMs === 0) failedMs = performance.now()
    }
    expect((await server.ended).code).toBe(1)
    expect(performance.now() - failedMs).toBeLessThan(2_500)
    http.close()
    expect([...codes]).toEqual(['201', 'STORAGE_UNAVAILABLE'])
    expect(server.lastErrorLine).toMatch(/^tearoff: worker 0: lane 0: .* then start again \(\w+\)$/)
  })

  it('ends at once on a second signal', async () => {
    const server = await startServer({ dataDir })
    // Both arrive while it sleeps, so it finds the second one before it can have finished with the first.
    for (const signal of ['SIGSTOP', 'SIGINT', 'SIGTERM', 'SIGCONT'] as const) server.signal(signal)
    expect((await server.ended).code).toBe(1)
    expect(server.lastErrorLine).toMatch(
      /^tearoff: ended at once by a second SIG(TERM|INT); the next start replays the log$/,
    )
  })
})
