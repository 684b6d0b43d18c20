/** The contract of transports over simulated networks that do their worst, and over sockets of the file system. */
import { transportContract } from 'couplet/testing'
import { describe, it } from 'vitest'
import { adversities, simulatedFileSystem, simulatedNetwork } from './simulated-transport.ts'

describe.each(adversities)('a connection $name', (adversity) => {
  transportContract(() => simulatedNetwork(adversity), { describe, it })
})

describe('a socket in a simulated file system', () => {
  transportContract(simulatedFileSystem, { describe, it, lacks: ['addresses'] })
})
