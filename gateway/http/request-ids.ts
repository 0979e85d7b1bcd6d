/**
 * Request ids: `<prefix><counter>`, base 36. The prefix is random and drawn once a process, so ids of two gateways, or of
 * one before and after a restart, do not meet in the logs. They are names, not secrets.
 */
const PREFIX_BYTES = 5

export class RequestIds {
  private readonly prefix: string
  private count = 0

  constructor(random: (length: number) => Uint8Array) {
    let number = 0
    for (const byte of random(PREFIX_BYTES)) number = number * 256 + byte
    this.prefix = number.toString(36).padStart(8, '0') + '-'
  }

  next(): string {
    this.count++
    return this.prefix + this.count.toString(36)
  }
}
