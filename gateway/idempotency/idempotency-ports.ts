/**
 * Ports of an operation with an `Idempotency-Key`: the same shards, but every command carries the operation's name, and the
 * randomness is drawn from that name. So a second try of the operation, after a crash, asks for the same generated code,
 * meets the same shard, and is told there that it was done.
 */
import { createHash } from 'node:crypto'
import type { OperationPorts } from '../operations/operations.ts'
import type { ReplyHandler, ShardTransport } from '../../engine/transport/port.ts'
import { type Bytes, ByteWriter } from '../../protocol/bytes.ts'
import { writeKeyedHead } from '../../protocol/command-codec.ts'
import { COMMAND } from '../../protocol/commands.ts'

/** `operation` is the name, 16 bytes that are nobody else's. */
export function portsOfOperation(ports: OperationPorts, operation: Bytes): OperationPorts {
  const { transport } = ports
  return {
    ...ports,
    transport: new KeyedTransport(transport, operation),
    plainTransport: transport,
    random: randomOf(operation),
  }
}

/**
 * Commands that carry the name: those that write, and the read that a PATCH begins with, which after a crash would see its
 * own change and take it for somebody else's.
 */
const NAMED: ReadonlySet<number> = new Set([
  COMMAND.RESERVE,
  COMMAND.STACK,
  COMMAND.RELEASE,
  COMMAND.EXTEND_RESERVATION,
  COMMAND.REVERSE,
  COMMAND.CREATE_COUPON,
  COMMAND.CHANGE_COUPON,
  COMMAND.SWITCH_COUPON,
  COMMAND.GET_COUPON,
  COMMAND.GET_CAMPAIGN,
  COMMAND.CREATE_CAMPAIGN,
  COMMAND.CHANGE_CAMPAIGN,
  COMMAND.SWITCH_CAMPAIGN,
  COMMAND.CLAIM,
  COMMAND.START_JOB,
  COMMAND.END_JOB,
])

/** For one command at a time: the transport copies before its `call` returns. */
const writer = new ByteWriter()

class KeyedTransport implements ShardTransport {
  readonly shards: number
  private readonly inner: ShardTransport
  private readonly operation: Bytes

  constructor(inner: ShardTransport, operation: Bytes) {
    this.shards = inner.shards
    this.inner = inner
    this.operation = operation
  }

  get inFlight(): number {
    return this.inner.inFlight
  }

  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    if (!NAMED.has(bytes[0] as number)) {
      this.inner.call(shard, bytes, length, handler)
      return
    }
    writer.clear()
    writeKeyedHead(writer, this.operation)
    writer.raw(bytes, 0, length)
    this.inner.call(shard, writer.buf, writer.pos, handler)
  }
}

/** SHA-256 of the name and a counter, block by block: unknown to whoever does not know the name, the same for who does. */
function randomOf({ buf, start, end }: Bytes): OperationPorts['random'] {
  const name = buf.slice(start, end)
  let drawn = 0
  return (length) => {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; drawn++) {
      const block = createHash('sha256').update(name).update(`:${drawn}`).digest()
      bytes.set(block.subarray(0, length - at), at)
      at += block.length
    }
    return bytes
  }
}
