/** Subjects of a cluster. Several clusters share one NATS under different names. */

/** The name of a cluster, as it stands in subjects and in names of streams. */
export const CLUSTER_NAME = /^[a-z][a-z0-9-]{0,30}$/

export class Subjects {
  private readonly cluster: string

  constructor(cluster: string) {
    this.cluster = cluster
  }

  /** Calls for a shard; its owner alone listens. */
  shard(shard: number): string {
    return `tearoff.${this.cluster}.shard.${shard}`
  }

  /** Asks for the owner of the shards. */
  get whoOwns(): string {
    return `tearoff.${this.cluster}.owner`
  }

  /** Where who asked for the owner hears. */
  ownerAnswer(asker: string): string {
    return `tearoff.${this.cluster}.owner.${asker}`
  }

  /** Answers for a caller; a token follows. */
  inbox(caller: string): string {
    return `tearoff.${this.cluster}.caller.${caller}`
  }
}
