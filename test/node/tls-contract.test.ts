/** The contract of transports, over TLS of both versions. */
import { transportContract } from 'couplet/testing'
import { describe, it } from 'vitest'
import { tlsWorld } from './worlds.ts'

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a connection over %s', (version) => {
  transportContract(() => tlsWorld(version), { describe, it })
})
