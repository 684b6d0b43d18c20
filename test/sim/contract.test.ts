/** The contract of transports over simulated networks that do their worst, and over sockets of the file system. */
import { transportContract } from 'couplet/testing'
import { describe, it } from 'vitest'
import { adversities, simulatedFileSystem, simulatedNetwork } from './simulated-transport.ts'

describe.each(adversities)('a connection $name', (adversity) => {
  transportContract(() => simulatedNetwork(adversity), { describe, it })
})

describe.each(adversities)('a TLS connection $name', (adversity) => {
  transportContract(() => simulatedNetwork(adversity, 'TLSv1.3'), { describe, it })
})

describe('a connection over TLS 1.2', () => {
  transportContract(() => simulatedNetwork({ name: '', settled: 0, options: {} }, 'TLSv1.2'), { describe, it })
})

describe('a socket in a simulated file system', () => {
  transportContract(simulatedFileSystem, { describe, it, lacks: ['addresses'] })
})
