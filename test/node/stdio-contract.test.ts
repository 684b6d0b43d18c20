/** The contract of transports, over two pipes of the kernel: what a shell gives a program for its stdin and stdout. */
import { execFileSync } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Connection, ConnectionLimits } from 'couplet'
import { transportContract, type TransportWorld } from 'couplet/testing'
import { describe, it, onTestFinished } from 'vitest'
import { StandardIO } from '../../src/framework/node/standard-io.ts'
import { Loopback } from './loopback.ts'
import { directory } from './worlds.ts'

/** A pipe: what is written to the second is read from the first. */
function pipe(path: string): [Socket, Socket] {
  execFileSync('mkfifo', [path])
  const [from, to] = [constants.O_RDONLY, constants.O_WRONLY].map((way) => openSync(path, way | constants.O_NONBLOCK))
  const reader = new Socket({ fd: from as number, readable: true, writable: false })
  const writer = new Socket({ fd: to as number, readable: false, writable: true })
  onTestFinished(() => {
    reader.destroy()
    writer.destroy()
  })
  return [reader, writer]
}

function pipes(): TransportWorld {
  const net = new Loopback()
  const folder = directory()
  let count = 0
  return {
    plenty: 1 << 20,
    settle: () => net.settle(),
    pair: async (limits = {}) => {
      const there = pipe(join(folder, `there-${++count}`))
      const back = pipe(join(folder, `back-${count}`))
      return [program(back[0], there[1], limits.near), program(there[0], back[1], limits.far)]
    },
  }
  function program(stdin: Socket, stdout: Socket, limits: ConnectionLimits = {}): Connection {
    const connection = new StandardIO(net.reactor, limits, stdin, stdout)
    // With the program ends what it has left open.
    connection.whenLost().addCallback(() => stdout.destroy())
    return connection
  }
}

describe('a connection over standard input and output', () => {
  transportContract(pipes, { describe, it, lacks: ['network', 'reset'] })
})
