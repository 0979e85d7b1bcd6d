// `npm run test:cluster`: what needs real nats-servers (Debian's package nats-server), which the tests start themselves.

import { defineConfig, mergeConfig } from 'vitest/config'
import config from './vitest.config.ts'

export default mergeConfig(
  { ...config, test: { ...config.test, include: [] } },
  defineConfig({ test: { include: ['test/cluster/**/*.cluster.ts'] } }),
)
