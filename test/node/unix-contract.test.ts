/** The contract of transports, over sockets in the file system. They have no reset, and a client's has no name. */
import { transportContract } from 'couplet/testing'
import { describe, it } from 'vitest'
import { unixWorld } from './worlds.ts'

describe('a UNIX connection', () => {
  transportContract(unixWorld, { describe, it, lacks: ['reset', 'addresses'] })
})
