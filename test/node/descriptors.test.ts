/** A server that runs out of file descriptors. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { serverProcess } from './child.ts'

const greeter = `() => new (class extends Protocol {
  connectionMade() {
    this.transport.write('hello')
  }
})()`

/** A client that waits for its greeting, and stays. */
async function visit(port: number): Promise<{ greeted: boolean; leave: () => void }> {
  const socket = connect({ port, host: '127.0.0.1' })
  // Who is turned away is reset.
  const greeted = await once(socket, 'data').then(
    () => true,
    () => false,
  )
  return { greeted, leave: () => socket.destroy() }
}

// Elsewhere there is no such limit, or no prlimit to set it for a program that runs.
describe.skipIf(process.platform !== 'linux')('a server with 64 file descriptors', () => {
  it('serves as many of 500 clients as it can, turns the others away and counts them, and is back at once', async () => {
    const server = await serverProcess(greeter, '() => JSON.stringify(reactor.stats())', 64)
    const visits = await Promise.all(Array.from({ length: 500 }, () => visit(server.port)))
    const greeted = visits.filter((each) => each.greeted).length
    const stats = async () => JSON.parse(await server.ask('stats')) as { open: number; accepted: number; shed: number }
    expect(greeted).toBe(32)
    expect(await stats()).toMatchObject({ open: 32, accepted: 32, shed: 468 })
    for (const { leave } of visits) leave()
    // It may hear of a new client before it hears that the old ones have gone.
    while ((await stats()).open === 32);
    const { greeted: again, leave } = await visit(server.port)
    leave()
    expect(again).toBe(true)
  })
})
